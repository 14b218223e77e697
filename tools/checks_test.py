#!/usr/bin/env python3
"""The checks can fail: what each must find, and what each must let pass. Run as `checks_test`."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import check_banned
import check_coawait
import check_layering

TOOLS = pathlib.Path(__file__).resolve().parent


class CoAwait(unittest.TestCase):
    FAILS = [
        "co_await run(Params{1, 2});",
        "co_await run({1, 2});",
        "co_await run(a, {});",
        "co_await Awaiter{clock};",
        "co_await run(std::vector<int>{1});",
        "co_await run([this] { return 1; });",
        "co_await run(a, [&](int x) { return x; });",
        "auto x = co_await run(Params{1});",
        "use(Params{1}, co_await run());",
        "use(co_await run(), Params{1});",
        "co_return co_await run(ok ? Params{1} : other);",
        "co_return Pair{co_await run(), 1};",
        "if (co_await run(Params{1})) { next(); }",
        "while ((co_await run({})).ok()) step();",
        "for (auto& x : co_await all({})) use(x);",
        "x = 1;\n  co_await\n      run(\n          Params{1});",
    ]
    PASSES = [
        "const Params params{1, 2};\nco_await run(params);",
        "Params params{1, 2}; co_await run(std::move(params));",
        "co_await run(Params(1, 2));",
        "if (co_await run(a)) { use({1, 2}); }",
        "while (co_await run(a)) { use(Params{1}); }",
        "for (auto& x : co_await all(a)) { use(x, {1}); }",
        "if (ok) { co_await run(a); } else { use({1}); }",
        "{ const auto f = [this] { return 1; }; co_await run(f); }",
        "auto [error, size] = co_await read(buffer[at], use_tuple);",
        "co_await run([](int x) { return x; });",
        "Task<> f() { use(Params{1}); co_await run(a); }",
        "// co_await run(Params{1});\nco_await run(\"({\");",
        "const Result result{co_await run(a)};",
        "switch (co_await next()) { case Kind::a: use({1}); }",
    ]

    def test_finds_what_the_compiler_gets_wrong(self):
        for text in self.FAILS:
            with self.subTest(text):
                self.assertTrue(check_coawait.findings("Task<> f() {\n  " + text + "\n}\n"))

    def test_lets_named_values_pass(self):
        for text in self.PASSES:
            with self.subTest(text):
                self.assertFalse(check_coawait.findings("Task<> f() {\n  " + text + "\n}\n"))

    def test_names_the_line(self):
        self.assertEqual(check_coawait.findings("a();\n\nco_await run({});\n"), [3])


class Layering(unittest.TestCase):
    FAILS = [
        ("common/flow/a.cc", '"', "proxy/app.h"),
        ("proxy/a.cc", '"', "activator/app.h"),
        ("config/a.cc", '"', "local/api/store.h"),
        ("autoscaler/a.cc", '"', "cli/up.h"),
        ("examples/echo/a.cc", '"', "config/manifest.h"),
        ("common/base/a.h", '"', "common/async/scope.h"),
        ("common/stats/a.h", '"', "common/net/stream.h"),
        ("common/novel/a.h", '"', "common/base/task.h"),
        ("common/http/a.h", "<", "nlohmann/json.hpp"),
        ("activator/pipeline.cc", "<", "nlohmann/json.hpp"),
        ("local/a.cc", "<", "yaml-cpp/yaml.h"),
        ("common/http/a.cc", "<", "openssl/ssl.h"),
        ("common/flow/a.h", "<", "boost/asio/steady_timer.hpp"),
        ("autoscaler/decider.cc", "<", "boost/asio/post.hpp"),
        ("proxy/a.cc", '"', "tests/support/sim_clock.h"),
    ]
    PASSES = [
        ("proxy/a.cc", '"', "common/http/head.h"),
        ("cli/up.cc", '"', "local/app.h"),
        ("common/kube/a.cc", "<", "nlohmann/json.hpp"),
        ("activator/status.cc", "<", "nlohmann/json.hpp"),
        ("config/yaml.cc", "<", "yaml-cpp/yaml.h"),
        ("common/net/a.h", "<", "boost/asio/ip/tcp.hpp"),
        ("common/net/tls.cc", "<", "openssl/ssl.h"),
        ("bench/line.cc", "<", "openssl/ssl.h"),
        ("tests/common/flow/a_test.cc", '"', "proxy/app.h"),
    ]

    def test_finds_wrong_arrows(self):
        for case in self.FAILS:
            with self.subTest(case):
                self.assertIsNotNone(check_layering.problem(*case))

    def test_lets_right_arrows_pass(self):
        for case in self.PASSES:
            with self.subTest(case):
                self.assertIsNone(check_layering.problem(*case))


class Banned(unittest.TestCase):
    FAILS = [
        ("proxy/a.cc", "auto t = std::chrono::steady_clock::now();", "clock"),
        ("tests/proxy/a_test.cc", "auto t = steady_clock::now();", "clock"),
        ("local/a.cc", "auto t = ::time(nullptr);", "clock"),
        ("local/a.cc", "std::this_thread::sleep_for(1s);", "sleep"),
        ("common/wire/client.cc", "std::random_device seed;", "chance"),
        ("config/a.cc", 'auto* v = std::getenv("PORT");', "environment"),
        ("common/net/a.cc", "asio::co_spawn(e, run(), asio::detached);", "detached"),
        ("local/a.cc", "thread.detach();", "detached"),
        ("proxy/a.cc", "asio::co_spawn(e, run(), done);", "co_spawn"),
        ("activator/a.h", "std::mutex lock_;", "lock"),
        ("common/flow/a.h", "using namespace std;", "using namespace"),
    ]
    PASSES = [
        ("common/base/system_clock.cc", "return std::chrono::steady_clock::now();"),
        ("proxy/main.cc", 'auto* v = std::getenv("PORT");'),
        ("common/async/scope.cc", "asio::co_spawn(e, run(), done);"),
        ("common/base/log.cc", "std::mutex lock;"),
        ("proxy/a.cc", "using namespace std::chrono_literals;"),
        ("proxy/a.cc", '// steady_clock::now()\nlog("getenv()");'),
        ("proxy/a.cc", "const auto now = clock.now();"),
        ("proxy/a.cc", "stats.time(now); response_time(0);"),
    ]

    def test_finds_each_kind(self):
        for name, text, what in self.FAILS:
            with self.subTest((name, text)):
                self.assertIn(what, [found[1] for found in check_banned.findings(name, text)])

    def test_lets_the_allowed_pass(self):
        for name, text in self.PASSES:
            with self.subTest((name, text)):
                self.assertEqual(check_banned.findings(name, text), [])

    def test_names_the_line(self):
        self.assertEqual(check_banned.findings("proxy/a.h", "\n\nusing namespace std;")[0][0], 3)


class Programs(unittest.TestCase):
    """A finding, and an empty tree, end each program with 1: a check that reads nothing is broken."""

    def exit_code(self, check, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return subprocess.run([sys.executable, TOOLS / check, root],
                                  stdout=subprocess.DEVNULL).returncode

    def test_exit_codes(self):
        clean = {"proxy/a.cc": "int a;\n"}
        dirty = {"proxy/a.cc": '#include "activator/app.h"\n'
                               "Task<> f() { co_await run({}); std::getenv(name); }\n"}
        for check in ("check_layering.py", "check_coawait.py", "check_banned.py"):
            with self.subTest(check):
                self.assertEqual(self.exit_code(check, clean), 0)
                self.assertEqual(self.exit_code(check, dirty), 1)
                self.assertEqual(self.exit_code(check, {}), 1)


if __name__ == "__main__":
    unittest.main()
