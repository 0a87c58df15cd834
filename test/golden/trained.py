"""Golden values of the comparisons that train the network, from their papers' equations, in NumPy: trained.json.

    python3 test/golden/trained.py > test/golden/trained.json

Every matrix is formed. Each gradient is checked against central differences of its loss before it is
written. Inputs are generated from names, as support.ts does. Made with NumPy 2.4.
"""

import json

import numpy as np
from methods import ints, pick, rounded, rows, values

def checked(loss, z):
    """The losses and the gradient of a function that gives both, where central differences agree."""
    terms, gradient = loss(z)
    step = 1e-6
    for index in np.ndindex(*z.shape):
        moved = [z.copy(), z.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        difference = sum(loss(moved[0])[0]) - sum(loss(moved[1])[0])
        assert abs(difference / (2 * step) - gradient[index]) < 1e-6 * (1 + np.abs(gradient).max()), index
    return terms, gradient


def adsh(c):
    """The loss, and one V-step, while V is 0."""
    prefix, n, m, K, gamma = f"T/adsh-{c}", 40, 16, 4, 200.0
    y = ints(prefix + "/labels", n, K)
    omega = np.array(pick(prefix + "/omega", n, m))
    U = values(prefix + "/U", (m, c), 0.95).astype(np.float64)
    S = (y[omega][:, None] == y[None, :]).astype(float)
    r = S.sum() / (1 - S).sum()
    S = S * (1 + r) - r
    V = np.zeros((n, c))

    def loss(u):
        similarity = ((u @ V.T - c * S) ** 2).sum() / (m * n)
        quantisation = gamma * ((V[omega] - u) ** 2).sum() / (m * n)
        gradient = (2 * (u @ V.T - c * S) @ V + 2 * gamma * (u - V[omega])) / (m * n)
        return (similarity, quantisation), gradient

    (similarity, quantisation), gradient = checked(loss, U)
    scattered = np.zeros((n, c))
    scattered[omega] = U
    Q = -2 * c * S.T @ U - 2 * gamma * scattered
    smallest = np.inf
    for k in range(c):
        rest = [i for i in range(c) if i != k]
        argument = 2 * V[:, rest] @ (U[:, rest].T @ U[:, k]) + Q[:, k]
        smallest = min(smallest, np.abs(argument).min() / np.abs(argument).max())
        V[:, k] = np.where(argument > 0, -1, 1)
    return {
        "prefix": prefix,
        "n": n,
        "m": m,
        "K": K,
        "c": c,
        "gamma": gamma,
        "similarity": rounded(float(similarity)),
        "quantisation": rounded(float(quantisation)),
        "gradient": rounded(gradient.ravel().tolist()),
        "codes": rows(V),
        "smallest_argument_of_sign": rounded(float(smallest)),
    }


if __name__ == "__main__":
    print(json.dumps({"adsh": [adsh(6), adsh(20)]}))
