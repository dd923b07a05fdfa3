"""What show prints of a metric's model: words, names of parameters and units, no key of the store."""

from typing import Any

from loop.terminal.model_view import describe_model

MODEL: dict[str, Any] = {
    "kind": "gp",
    "observations": 14,
    "hyper_parameters": {"length.0": 0.5957, "length.1": 1.0256, "process": 0.98, "noise": 0.00087},
    "choice": "matern",
    "loo": {"matern": -0.2862, "warped": -0.044},
    "members": ["gp", "trees"],
    "models": {"gp": -0.286, "trees": -0.273},
    "prior": {"slope": 0.91, "sd": 0.19, "used": True},
    "source": None,
    "sources": {"old": {"gain": -0.1, "slope": 0.5, "sd": 0.1}},
    "widening": 1.0,
    "health": {
        "state": "recalibrated",
        "sd_factor": 1.5,
        "figures": {"predictions": 7, "coverage": [0.86, 1.0, 1.0], "rank": 0.607, "rmsd": 12.32},
        "transitions": [{"trial": 9, "state": "recalibrated", "reason": "3 of 7 outside", "figures": {}}],
    },
}


def test_a_model_is_told_in_words_with_the_names_of_the_parameters() -> None:
    rows = dict(describe_model(MODEL, ["temperature", "time"], "mAh/g"))
    kernels = "Matérn kernel -0.286, Matérn kernel of warped parameters -0.044"
    inside = "7 predictions: 86 / 100 / 100 % inside their 50 / 80 / 95 % intervals"
    assert rows == {
        "model": "mean of Gaussian process and extra trees, fitted to 14 measurements",
        "chosen": "Matérn kernel",
        "leave-one-out log density [1]": f"{kernels}, Gaussian process -0.286, extra trees -0.273",
        "length scales [1]": "temperature 0.596, time 1.03",
        "other hyper-parameters [1]": "variance 0.98, noise variance 0.00087",
        "prior": "used, slope 0.91 ± 0.19",
        "learns from": "old: not used, slope 0.50 ± 0.10, gain in log density -0.100",
        "health": "recalibrated, standard deviations multiplied by 1.5",
        "measured so far": f"{inside}, rank correlation 0.61, root-mean-square deviation 12.3 mAh/g",
        "after trial 9": "recalibrated: 3 of 7 outside",
    }


def test_what_a_model_of_the_user_s_own_keeps_is_shown_too() -> None:
    model = {"kind": "custom", "model": "mylab:MyGP", "observations": 1, "fit": "did not converge", "my_scale": 0.5}
    assert list(describe_model(model, [], "")) == [
        ("model", "a model of your own (mylab:MyGP), fitted to 1 measurement"),
        ("fit", "did not converge"),
        ("my scale", "0.5"),
    ]
