"""What a sidecar costs that has nothing to do."""
import pathlib
import time

SECONDS = 31  # what comes every ten seconds shows


def wakes(pid):
    """How often its threads have gone to sleep and been woken."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def test_an_idle_sidecar_wakes_once_a_second_and_no_more(sidecar):
    time.sleep(1)  # behind the first lines of its log
    before = wakes(sidecar.pid)
    begun = time.monotonic()
    time.sleep(SECONDS)
    count, seconds = wakes(sidecar.pid) - before, time.monotonic() - begun
    assert count <= seconds + 1, f"{count} wake-ups in {seconds:.1f} s"
