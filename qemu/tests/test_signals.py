"""What each sequence of signals asks of the guest, and which one ends the machine."""

import math
import signal
import unittest

from signals import SIGNAL_PATIENCE, Requests, Unanswered

INT, QUIT, TERM, HUP = signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP


def send(*numbers: int, is_running: bool = True) -> tuple[list[str], int | None]:
    """Returns the lines for the guest, and the signal that ended the machine."""
    lines: list[str] = []
    requests = Requests(lines.append)
    for number in numbers:
        try:
            requests.take(number, 0, is_running)
        except Unanswered as unanswered:
            return lines, unanswered.number
    if not is_running:
        assert not lines
        requests.container_runs()
    return lines, None


class Sequences(unittest.TestCase):
    def test_each(self) -> None:
        for numbers, lines, end in [
            ([INT], ["signal 2"], None),
            ([QUIT], ["signal 3"], None),
            ([TERM], ["stop"], None),
            ([HUP], ["stop"], None),
            ([INT, TERM], ["signal 2", "stop"], None),
            ([QUIT, HUP], ["signal 3", "stop"], None),
            ([INT, INT], ["signal 2"], INT),
            ([INT, QUIT], ["signal 2"], QUIT),
            ([TERM, TERM], ["stop"], TERM),
            ([TERM, HUP], ["stop"], HUP),
            ([TERM, INT], ["stop"], INT),
            ([INT, TERM, TERM], ["signal 2", "stop"], TERM),
            ([INT, TERM, INT], ["signal 2", "stop"], INT),
        ]:
            self.assertEqual(send(*numbers), (lines, end), numbers)

    def test_they_wait_for_the_container_in_order(self) -> None:
        self.assertEqual(send(INT, TERM, is_running=False), (["signal 2", "stop"], None))

    def test_the_message(self) -> None:
        requests = Requests(lambda line: None)
        requests.take(TERM, 0, True)
        with self.assertRaises(Unanswered) as raised:
            requests.take(TERM, 0, True)
        self.assertEqual(str(raised.exception), "SIGTERM: the second one: the machine was killed")


class Patience(unittest.TestCase):
    def test_a_signal_waits_for_a_container_so_long(self) -> None:
        requests = Requests(lambda line: None)
        requests.check(1e9)
        requests.take(INT, 100, False)
        requests.take(TERM, 105, False)
        self.assertEqual(requests.patient_until, 100 + SIGNAL_PATIENCE)  # the first one's
        requests.check(100 + SIGNAL_PATIENCE - 0.1)
        with self.assertRaisesRegex(Unanswered, "SIGINT: no container took it in 10 seconds"):
            requests.check(100 + SIGNAL_PATIENCE)

    def test_no_longer_once_it_runs(self) -> None:
        requests = Requests(lambda line: None)
        requests.take(INT, 100, False)
        requests.container_runs()
        self.assertEqual(requests.patient_until, math.inf)
        requests.check(1e9)

    def test_none_waits_for_a_container_that_runs(self) -> None:
        requests = Requests(lambda line: None)
        requests.take(INT, 100, True)
        requests.check(1e9)


if __name__ == "__main__":
    unittest.main()
