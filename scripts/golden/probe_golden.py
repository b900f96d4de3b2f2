"""Makes test/golden/probe/logistic.json: fits of scikit-learn's logistic regression, for test/probe/logistic.test.ts.

    python scripts/golden/probe_golden.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

random = np.random.default_rng(0)
rows, columns = 60, 8
x = np.where(random.random((rows, columns)) < 0.5, random.random((rows, columns)) * 3, 0).round(3)
# two columns that are nearly the same, and labels that no line separates
x[:, 7] = (x[:, 6] + 0.05 * random.standard_normal(rows)).round(3)
truth = np.array([2, -1.5, 0, 0, 0, 0.5, 1, 0])
labels = (x @ truth - 1.5 + 2 * random.standard_normal(rows) > 0).astype(int)


def fit(c: float, l1: bool) -> dict:
    solver = dict(solver="saga", l1_ratio=1.0) if l1 else dict(solver="lbfgs", l1_ratio=0.0)
    model = LogisticRegression(C=c, tol=1e-12, max_iter=1_000_000, **solver)
    model.fit(x, labels)
    return {
        "penalty": 1 / (c * rows),
        "weights": model.coef_[0].tolist(),
        "intercept": float(model.intercept_[0]),
    }


# ties on purpose
scores = (random.standard_normal((rows, 3)) * 2).round()
classes = random.integers(0, 3, rows)
given = scores.argmax(axis=1)
metrics = {
    "scores": scores.tolist(),
    "labels": classes.tolist(),
    "accuracy": float((given == classes).mean()),
    "balancedAccuracy": balanced_accuracy_score(classes, given),
    "f1": f1_score(classes, given, average="macro"),
    "rocAuc": float(np.mean([roc_auc_score(classes == c, scores[:, c]) for c in range(3)])),
}
out = {
    "scikit-learn": sklearn.__version__,
    "x": x.tolist(),
    "labels": labels.tolist(),
    "ridge": [fit(c, False) for c in (0.01, 1, 100)],
    "lasso": [fit(c, True) for c in (0.15, 0.3, 10)],
    "metrics": metrics,
}
path = Path(sys.argv[1] if len(sys.argv) > 1 else "test/golden/probe/logistic.json")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(out) + "\n")
