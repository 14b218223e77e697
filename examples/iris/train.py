#!/usr/bin/env python3
"""Trains the example's model: a logistic regression on the Iris data that scikit-learn ships.

`train.py` writes .model/iris.joblib beside this file; `train.py --predict` prints scikit-learn's own
answer for every row of the data, as JSON, for whoever wants to compare.
"""
import argparse
import json
import pathlib

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL = pathlib.Path(__file__).resolve().parent / ".model" / "iris.joblib"


def train():
    data = load_iris()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(data.data, data.target)
    MODEL.parent.mkdir(exist_ok=True)
    half_written = MODEL.with_suffix(".new")
    joblib.dump(model, half_written)
    half_written.rename(MODEL)


def predict():
    data = load_iris()
    classes = joblib.load(MODEL).predict(data.data)
    print(json.dumps({"rows": data.data.tolist(), "classes": classes.tolist()}))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--predict", action="store_true", help="print the answers, train nothing")
    predict() if arguments.parse_args().predict else train()
