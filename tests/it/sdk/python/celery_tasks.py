"""A Celery application whose broker is the server's queues: a thousand tasks, each done once and in full.

The worker runs in this process, in threads of its own, as `celery worker --pool threads` would; tasks come to it only
through the broker. The transport knows the development account by its name and takes the key and the service's
address as `azurestoragequeues://KEY@ADDRESS`.
"""

import sys
import threading
from collections import Counter

from celery import Celery
from celery.contrib.testing.worker import start_worker

import runner
from runner import unique

TASKS = 1000
PATIENCE_SECONDS = 300

PARTS = dict(part.split("=", 1) for part in runner.connection_string().strip(";").split(";"))
PREFIX = unique("celery") + "-"

app = Celery("linarite", broker=f"azurestoragequeues://{PARTS['AccountKey']}@{PARTS['QueueEndpoint']}")
app.conf.update(
    broker_transport_options={"queue_name_prefix": PREFIX, "polling_interval": 0.01},
    task_default_queue="work",
    task_ignore_result=True,
    task_serializer="json",
    worker_hijack_root_logger=False,
)

LOCK = threading.Lock()
DONE = Counter()
RETRIED = Counter()
ALL_DONE = threading.Event()


def note(number):
    with LOCK:
        DONE[number] += 1
        if len(DONE) == TASKS:
            ALL_DONE.set()


@app.task(name="linarite.square")
def square(number, text, expected):
    assert number * number == expected and text == f"<{number}> & ümläut"
    note(number)


@app.task(name="linarite.second_time", bind=True, max_retries=3)
def second_time(self, number):
    """Fails at first, so that it must come through the broker again."""
    with LOCK:
        RETRIED[number] += 1
        first = RETRIED[number] == 1
    if first:
        raise self.retry(countdown=0)
    note(number)


def test_a_thousand_tasks_are_done_once_each():
    retried = range(0, TASKS, 20)
    for number in range(TASKS):
        if number in retried:
            second_time.delay(number)
        else:
            square.delay(number, f"<{number}> & ümläut", expected=number * number)
    with app.connection_for_read() as connection:
        waiting = connection.default_channel._size("work")
    assert waiting == TASKS, waiting
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False, loglevel="WARNING"):
        assert ALL_DONE.wait(PATIENCE_SECONDS), f"only {len(DONE)} tasks were done"
    assert sorted(DONE) == list(range(TASKS))
    assert set(DONE.values()) == {1}, [number for number, times in DONE.items() if times != 1]
    assert all(RETRIED[number] == 2 for number in retried), RETRIED
    with app.connection_for_read() as connection:
        assert connection.default_channel._size("work") == 0


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
