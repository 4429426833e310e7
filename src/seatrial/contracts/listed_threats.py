"""Where public lists of threats to machine learning name what is tried here, so that a reader finds it in their own.

NIST AI 100-2e2025 (https://doi.org/10.6028/NIST.AI.100-2e2025, its index of attacks), MITRE ATLAS (https://atlas.mitre.org, names as of
May 2026) and the OWASP Machine Learning Security Top Ten, draft of 2023 (https://owasp.org/www-project-machine-learning-security-top-10).
"""

from __future__ import annotations

from collections.abc import Iterable

NIST, ATLAS, OWASP = "NIST AI 100-2e2025", "MITRE ATLAS", "OWASP ML Top Ten 2023"

LISTED: dict[str, dict[str, str]] = {
    "weights": {
        NIST: "NISTAML.022 Evasion",
        ATLAS: "AML.T0043.000 White-Box Optimization",
        OWASP: "ML01 Input Manipulation Attack",
    },
    "original": {
        NIST: "NISTAML.025 Black-box Evasion",
        ATLAS: "AML.T0043.002 Black-Box Transfer",
        OWASP: "ML01 Input Manipulation Attack",
    },
    "queries": {
        NIST: "NISTAML.025 Black-box Evasion",
        ATLAS: "AML.T0043.001 Black-Box Optimization",
        OWASP: "ML01 Input Manipulation Attack",
    },
    "membership": {
        NIST: "NISTAML.033 Membership Inference",
        ATLAS: "AML.T0024.000 Infer Training Data Membership",
        OWASP: "ML04 Membership Inference Attack",
    },
    "inversion": {
        NIST: "NISTAML.032 Data Reconstruction",
        ATLAS: "AML.T0024.001 Invert AI Model",
        OWASP: "ML03 Model Inversion Attack",
    },
    "extraction": {
        NIST: "NISTAML.031 Model Extraction",
        ATLAS: "AML.T0024.002 Extract AI Model",
        OWASP: "ML05 Model Theft",
    },
    "poisoned_data": {
        NIST: "NISTAML.013 Data Poisoning",
        ATLAS: "AML.T0020 Training Data Poisoning",
        OWASP: "ML02 Data Poisoning Attack",
    },
    "backdoor": {
        NIST: "NISTAML.023 Backdoor Poisoning",
        ATLAS: "AML.T0043.004 Insert Backdoor Trigger",
        OWASP: "ML10 Model Poisoning",
    },
}
"""By what is tried, the entry of each list."""


def listed_as(tried: Iterable[str]) -> str:
    """The entries of the lists for what was tried, each once, in words. Raises `KeyError` for what no list names."""
    named = list(tried)
    entries = dict.fromkeys(f"{source}: {LISTED[one][source]}" for source in (NIST, ATLAS, OWASP) for one in named)
    return "; ".join(entries)
