"""Tests of the suite's own arithmetic: `python3 -m unittest discover -s benches -t benches`."""

import struct
import unittest
from pathlib import Path

from . import figures, geo, instructions, machine, scene
from .errors import BenchError


def runs_of(**costs):
    return [figures.Run(name, number, 1_000_000, cost, elapsed_s=1.0)
            for name, of in costs.items() for number, cost in enumerate(of)]


class Figures(unittest.TestCase):
    def test_a_ratio_pairs_runs_of_the_same_round(self):
        runs = runs_of(windrose=[2.0, 9.0, 4.0], gdnsd=[4.0, 9.0, 4.0])
        found = figures.ratio(runs, "windrose", "gdnsd")
        self.assertEqual((found["min"], found["median"], found["max"], found["of_least"]), (0.5, 1.0, 1.0, 0.5))

    def test_a_round_that_one_of_them_missed_makes_no_pair(self):
        runs = runs_of(windrose=[2.0, 2.0], gdnsd=[4.0])
        self.assertEqual(figures.ratio(runs, "windrose", "gdnsd")["pairs"], 1)

    def test_windrose_is_held_against_everyone_and_without_it_the_first_peer_is(self):
        pairs = lambda runs: [(item["subject"], item["peer"]) for item in figures.ratios(runs)]
        self.assertEqual(pairs(runs_of(windrose=[1], baseline=[1], knot=[1])), [("windrose", "baseline"), ("windrose", "knot")])
        self.assertEqual(pairs(runs_of(gdnsd=[1], knot=[1])), [("gdnsd", "knot")])

    def test_the_lower_end_is_the_least_until_eight_pairs_allow_the_second(self):
        self.assertEqual(figures.lower_end([1, 2, 3]), 1)
        self.assertEqual(figures.lower_end([1, 2, 3, 4, 5, 6, 7]), 1)
        self.assertEqual(figures.lower_end([1, 2, 3, 4, 5, 6, 7, 8]), 2)


class Readings(unittest.TestCase):
    def test_the_user_part_is_the_share_of_ticks_of_the_exact_time(self):
        before, after = machine.CpuReading({"1": 0}, 1.0, 0.1), machine.CpuReading({"1": 2_000_000_000}, 3.1, 0.31)
        self.assertEqual(before.until(after), 2.0)
        self.assertAlmostEqual(before.user_until(after), 0.2)

    def test_with_other_threads_than_before_ticks_are_all_there_is(self):
        before, after = machine.CpuReading({"1": 0}, 1.0), machine.CpuReading({"2": 5}, 1.5)
        self.assertEqual(before.until(after), 0.5)


class Geo(unittest.TestCase):
    def test_a_flat_database_of_one_node_becomes_nested(self):
        flat_data = geo._encode({"country_code": "DE"})
        metadata = {"node_count": 1, "record_size": 24, "ip_version": 4, "build_epoch": 1}
        record = 1 + 16
        flat = (record.to_bytes(3, "big") + (1).to_bytes(3, "big") + bytes(16) + flat_data
                + geo._METADATA_MARK + geo._encode(metadata))
        nested = geo.nest(flat)
        self.assertEqual(struct.unpack(">3s3s", nested[:6]), (record.to_bytes(3, "big"), b"\0\0\1"))
        place, _ = geo._decode(nested, 6 + 16, 6 + 16)
        self.assertEqual(place, {"continent": {"code": "EU"}, "country": {"iso_code": "DE"}})

    def test_what_is_encoded_is_decoded(self):
        value = {"a": "x" * 40, "n": [1, 70_000, 0], "m": {"k": "v"}}
        encoded = geo._encode({"a": value["a"], "m": value["m"]})
        self.assertEqual(geo._decode(encoded, 0, 0)[0], {"a": value["a"], "m": value["m"]})


class Instructions(unittest.TestCase):
    def test_a_count_within_the_margin_passes_and_one_over_it_does_not(self):
        self.assertEqual(instructions.over({"static": 600.0}, {"static": 630.0}), [])
        self.assertEqual(len(instructions.over({"static": 600.0}, {"static": 631.0})), 1)

    def test_a_kind_without_a_budget_and_a_budget_without_a_kind_are_told(self):
        told = instructions.over({"gone": 5.0}, {"new": 5.0})
        self.assertEqual(len(told), 2)

    def test_the_sum_is_read_and_an_empty_count_is_an_error(self):
        self.assertEqual(instructions.total("events: Ir\nsummary: 1134140\n"), 1_134_140)
        with self.assertRaises(BenchError):
            instructions.total("totals: 0\n")

    def test_the_budget_in_the_repository_can_be_read(self):
        file = Path(__file__).resolve().parent.parent / "instructions.json"
        self.assertGreater(instructions.read(file)["static"], 0)


class Scene(unittest.TestCase):
    def test_the_template_of_the_hosts_fits_their_names(self):
        for count in (1_000, 100_000):
            names = [name for name, _ in scene.hosts(count)]
            template = scene.host_template(count).split(".")[0]
            self.assertEqual({len(name) for name in names}, {len(template)})
            self.assertEqual(len(set(names)), count)
            fixed = template.rstrip("#")
            self.assertTrue(all(name.startswith(fixed) for name in names))
        self.assertEqual(scene.host_template(1_000), scene.HOST_TEMPLATE)


if __name__ == "__main__":
    unittest.main()
