"""From runs to figures: CPU per unit, paired ratios and what may be said of them."""

from dataclasses import dataclass, field
from math import comb
from statistics import median


@dataclass
class Run:
    """One contender in one round."""

    contender: str
    round: int = 0
    units: int = 0
    cpu_s: float = 0.0
    user_s: float = 0.0
    elapsed_s: float = 0.0
    others_cpu_s: float = 0.0
    problems: list = field(default_factory=list)
    details: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)

    def add(self, work, cpu_s: float, others_cpu_s: float, user_s: float = 0.0):
        """One more slice of load."""
        self.units += work.units
        self.elapsed_s += work.elapsed_s
        self.cpu_s += cpu_s
        self.user_s += user_s
        self.others_cpu_s += others_cpu_s
        self.problems += work.problems
        self.details.append(work.detail)

    @property
    def cpu_us_per_unit(self) -> float:
        return self.cpu_s * 1e6 / self.units


def spread(values: list) -> dict:
    return {"min": min(values), "median": median(values), "max": max(values)}


def costs(runs: list, contender: str) -> dict:
    """CPU µs per unit of one contender over its runs, and how hard it worked."""
    mine = [run for run in runs if run.contender == contender]
    return {
        "cpu_us_per_unit": spread([run.cpu_us_per_unit for run in mine]),
        "user_us_per_unit": sum(run.user_s for run in mine) * 1e6 / sum(run.units for run in mine),
        "busy_percent": median(100 * run.cpu_s / run.elapsed_s for run in mine),
        "units_per_s": median(run.units / run.elapsed_s for run in mine),
        "others_cpu_percent": median(100 * run.others_cpu_s / run.elapsed_s for run in mine),
        "runs": len(mine),
        "facts": {name: spread([run.facts[name] for run in mine]) for name in mine[0].facts},
    }


def ratio(runs: list, subject: str, peer: str) -> dict:
    """Subject over peer, round by round: both runs of a round met the same minute of the machine.

    `of_least` is the least disturbed run of one over that of the other, whatever their rounds.
    """
    of = {(run.contender, run.round): run.cpu_us_per_unit for run in runs}
    pairs = sorted(of[subject, number] / of[peer, number] for name, number in of if name == subject and (peer, number) in of)
    least = {name: min(cost for (of_name, _), cost in of.items() if of_name == name) for name in (subject, peer)}
    return {**spread(pairs), "lower_end": lower_end(pairs), "of_least": least[subject] / least[peer], "pairs": len(pairs)}


def lower_end(ordered: list) -> float:
    """The true median lies above this with at least 95 % confidence (order statistics, one-sided).

    Fewer than 5 values cannot say so much; then it is the least of them.
    """
    below, count = 0.0, 0
    for k in range(len(ordered)):
        below += comb(len(ordered), k) / 2 ** len(ordered)  # chance that at most k values lie below the median
        if below > 0.05:
            break
        count = k
    return ordered[count]


def ratios(runs: list) -> list:
    """Each Windrose over each other contender; without a Windrose, the first peer over the others."""
    present = list(dict.fromkeys(run.contender for run in runs))
    subjects = [name for name in present if name == "windrose"] or present[:1]
    return [
        {"subject": subject, "peer": peer, **ratio(runs, subject, peer)}
        for subject in subjects for peer in present
        if peer != subject and any(run.contender == peer for run in runs)
    ]


def text(workload: str, unit: str, runs: list) -> str:
    """The report of one workload for people."""
    lines = [f"{workload}: server CPU µs per {unit}",
             f"  {'':10}{'min':>8}{'median':>8}{'max':>8}{'user':>8}{'busy':>7}{'per second':>13}"]
    for contender in dict.fromkeys(run.contender for run in runs):
        cost = costs(runs, contender)
        of = cost["cpu_us_per_unit"]
        lines.append(f"  {contender:10}{of['min']:8.2f}{of['median']:8.2f}{of['max']:8.2f}"
                     f"{cost['user_us_per_unit']:8.2f}{cost['busy_percent']:6.0f}%{cost['units_per_s']:13,.0f}")
    found = ratios(runs)
    if found:
        lines.append(f"  {'paired ratio':22}{'min':>8}{'median':>8}{'max':>8}{'lower end':>11}{'of least':>10}{'pairs':>7}")
    for item in found:
        pair = f"{item['subject']}/{item['peer']}"
        lines.append(f"  {pair:22}{item['min']:8.3f}{item['median']:8.3f}{item['max']:8.3f}{item['lower_end']:11.3f}"
                     f"{item['of_least']:10.3f}{item['pairs']:7}")
    for contender in dict.fromkeys(run.contender for run in runs):
        for name, of in costs(runs, contender)["facts"].items():
            lines.append(f"  {contender}: {name}: min {of['min']:,.2f}, median {of['median']:,.2f}, max {of['max']:,.2f}")
    noise = median(100 * run.others_cpu_s / run.elapsed_s for run in runs)
    if noise > 10:
        lines.append(f"  note: other programs used {noise:.0f} % of a CPU meanwhile; trust ratios, not figures")
    for run in runs:
        lines += [f"  problem: {run.contender}, round {run.round + 1}: {problem}" for problem in run.problems]
    return "\n".join(lines)
