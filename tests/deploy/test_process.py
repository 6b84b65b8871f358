import sys
from pathlib import Path
from threading import Thread

from deploy.process import Child
from tests.support.waiting import eventually


async def test_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import signal, sys; print('runs', flush=True); signal.pause()"
    child = Child("pausing", [sys.executable, "-c", program], log=log, cwd=tmp_path)
    starter = Thread(target=child.start)
    starter.start()
    starter.join()
    try:
        await eventually(lambda: "runs" in log.read_text() or not child.is_running)
        assert child.is_running
    finally:
        child.stop()
