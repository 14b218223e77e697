#!/usr/bin/env python3
"""The benches' own arithmetic: what they read, what they find, what they let pass. `bench_test`."""
import pathlib
import sys
import unittest

BENCH = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(BENCH), str(BENCH / "sidecar")]

import autoscaler  # noqa: E402
import callgrind  # noqa: E402
import gate  # noqa: E402
import lockstep  # noqa: E402
import measure  # noqa: E402
import recover  # noqa: E402
import tables  # noqa: E402

# main calls parse twice (30 in it, 12 of them in copy); copy calls itself once.
CALLGRIND = """\
version: 1
positions: line
events: Ir
fn=(1) main
0 5
cfn=(2) ns::parse<std::vector<int> >(int)
calls=2 0
0 30

fn=(2)
0 18
cfn=(3) copy
calls=1 0
0 12

fn=(3)
0 10
cfn=(3)
calls=1 0
0 2
fn=(3)
0 2

totals: 35
"""

STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000120           1       120           sendmsg
 40.00    0.000080           0       310        12 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.000200           0       430        12 total
"""


class Callgrind(unittest.TestCase):
    def test_costs_alone_and_with_callees(self):
        profile = callgrind.parse(CALLGRIND)
        parse = "ns::parse<std::vector<int> >(int)"
        self.assertEqual(profile.total, 35)
        self.assertEqual(profile.self_cost, {"main": 5, parse: 18, "copy": 12})
        self.assertEqual(profile.inclusive, {"main": 35, parse: 30, "copy": 12})
        self.assertEqual(profile.calls, {parse: 2, "copy": 2})

    def test_what_both_runs_spent_cancels(self):
        longer, shorter = callgrind.parse(CALLGRIND), callgrind.parse(CALLGRIND)
        longer.total += 400
        longer.self_cost["main"] += 400
        cost = longer.per_request(shorter, 100)
        self.assertEqual((cost["instructions"], cost["self"]), (4, {"main": 4}))

    def test_names_without_arguments(self):
        self.assertEqual(callgrind.short("void ns::run<a<b>, c>(d<e>)"), "ns::run")
        self.assertEqual(callgrind.short("ns::(anonymous namespace)::f(int)"), "ns::{anonymous}::f")
        self.assertEqual(callgrind.short("x::f(x::f(int)::_ZN1f.Frame*) [clone .actor]"),
                         "x::f [coroutine]")


class Gate(unittest.TestCase):
    EXPECTED = {"instructions_per_request": 1000,
                "system_calls_per_request": {"sendmsg": 2.0, "recvfrom (failed)": 1.1}}

    def problems(self, instructions=1000, **calls):
        return gate.problems(self.EXPECTED, instructions,
                             {"sendmsg": 2.0, "recvfrom (failed)": 1.3, **calls})

    def test_passes_what_is_within_the_tolerance(self):
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.problems(1029), [])
        self.assertEqual(self.problems(971), [])

    def test_finds_more_and_less_of_anything(self):
        for found in (self.problems(1031), self.problems(969), self.problems(sendmsg=3.0),
                      self.problems(sendmsg=1.0), self.problems(epoll_ctl=1.0),
                      self.problems(**{"recvfrom (failed)": 2.1})):
            self.assertEqual(len(found), 1, found)
        self.assertIn("got 1031, expected 1000", self.problems(1031)[0])

    def test_reads_the_table_of_strace(self):
        self.assertEqual(lockstep.parse_strace(STRACE),
                         {"sendmsg": 120, "recvfrom": 298, "recvfrom (failed)": 12})


class Recover(unittest.TestCase):
    STEADY = [index / 100 for index in range(800)]  # 100 answers a second for 8 s

    def after(self, good, bad=()):
        answers = recover.Answers(list(good), [(at, "502") for at in bad])
        return recover.normal_after(answers, killed=4, end=8)

    def test_undisturbed_traffic_is_normal_at_once(self):
        self.assertEqual(self.after(self.STEADY), 0)

    def test_a_lost_answer_is_not_normal(self):
        self.assertAlmostEqual(self.after(self.STEADY, [1.0, 4.5]), 0.5)

    def test_a_gap_ends_when_the_rate_is_back(self):
        gap = [at for at in self.STEADY if not 4 <= at < 5]
        self.assertAlmostEqual(self.after(gap), 1.19, delta=0.03)  # full rate since 5, in a span

    def test_traffic_that_stays_low_never_is(self):
        self.assertIsNone(self.after([at for at in self.STEADY if at < 4]))


class Autoscaler(unittest.TestCase):
    PART = {"asked": 2, "right": 2, "patches": 2, "patched_once": 2, "p99_ms": 1.0,
            "largest_ms": 1.5}
    RUN = {"frames_sent": 10, "frames_received": 10, "connections_lost": 0, "unexpected_patches": 0,
           "bad_frames": 0, "pokes": PART, "wakes": PART, "failing_wakes": {**PART, "patches": 3},
           "cpu_cores": 0.4, "resident_bytes": 100 * autoscaler.MIB,
           "resident_alone_bytes": 20 * autoscaler.MIB}

    def test_a_run_in_which_all_is_right_has_nothing_wrong(self):
        self.assertEqual(autoscaler.wrong_counts(self.RUN), [])

    def test_everything_that_is_lost_or_wrong_is_said(self):
        for changed in ({"frames_received": 9}, {"connections_lost": 1}, {"unexpected_patches": 1},
                        {"bad_frames": 1}, {"wakes": {**self.PART, "right": 1}},
                        {"pokes": {**self.PART, "patches": 3}},
                        {"failing_wakes": {**self.PART, "patches": 3, "right": 1}},
                        {"failing_wakes": self.PART}):
            self.assertEqual(len(autoscaler.wrong_counts({**self.RUN, **changed})), 1, changed)

    def test_memory_is_told_apart(self):
        size = autoscaler.Size(sidecars=1024, revisions=512, pokes=0, wakes=256, failing_wakes=256)
        bare = {"resident_alone_bytes": 10 * autoscaler.MIB}
        rows = {what: value for what, value, _, _ in autoscaler.budgets(size, self.RUN, bare)}
        self.assertEqual(rows["resident memory per revision"], 10)
        self.assertEqual(rows["resident memory per replica with its connection"], 80)

    def test_a_metric_is_read_from_its_own_line(self):
        text = "# TYPE a_total counter\na_total 7\na_total_more 8\n"
        self.assertEqual(autoscaler.metric(text, "a_total"), 7)
        self.assertIsNone(autoscaler.metric(text, "b_total"))


class Sidecar(unittest.TestCase):
    RUN = {**{name: 1 for name in tables.NUMBERS}, "reconnects": 0, "errors": {}}

    def test_the_median_stands_for_the_rounds_and_errors_add_up(self):
        runs = [{**self.RUN, "cpu_us_per_request": cpu, "errors": {"reset": 1}}
                for cpu in (9, 1, 2)]
        one = tables.medians(runs)
        self.assertEqual((one["cpu_us_per_request"], one["cpu_us_per_request_range"]), (2, [1, 9]))
        results = {"loads": {"c1": {"nginx": one}}}
        self.assertEqual(tables.disturbances(results), ["nginx, c1: 3 x reset"])

    def test_what_is_not_counted_is_said(self):
        by_peer = {"nginx": tables.medians([{**self.RUN, "instructions_per_request": None}])}
        _, rows = tables.load_rows(by_peer, ["nginx", "relay"])
        self.assertIn("not counted here", rows[0])
        self.assertEqual(rows[1][:2], ["relay", "not applicable"])

    def test_perf_without_counters_counts_nothing(self):
        self.assertIsNone(measure.counted("<not supported>,,instructions,0,100.00,,\n"))
        self.assertEqual(measure.counted("123456,,instructions,99,100.00,,\n"), 123456)


if __name__ == "__main__":
    unittest.main()
