"""Golden values of the comparisons that train the network, from their papers' equations, in NumPy: trained.json.

    python3 test/golden/trained.py > test/golden/trained.json

Every matrix over pairs is formed. Each gradient is checked against central differences of its loss before it is
written. Inputs are generated from names, as support.ts does. Made with NumPy 2.4.
"""

import json

import numpy as np
from methods import ints, pick, rounded, rows, values

ETA = 10.0
ALPHA, MARGIN = 0.01, 2.0
SIGMOID, STEPS, GROWTH, POWER = 10.0, 200, 0.005, 0.5
FPH_MARGIN = 0.25
LAMBDA, DASH_MARGIN, DASH_ETA = 1.0, 0.1, 0.01


def softplus(x):
    return np.logaddexp(0, x)


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


def dpsh(z, images, y, U, c):
    """Rows of the batch against the outputs of all training images, which are constant; eta for the distance to signs."""
    n, b = len(y), len(z)
    stored = U.copy()
    stored[images] = z
    same = (y[images][:, None] == y[None, :]).astype(float)
    signs = np.where(z >= 0, 1.0, -1.0)

    def loss(z):
        theta = z @ stored.T / 2
        similarity = (softplus(theta) - same * theta).sum() / (b * n)
        quantisation = ETA * ((signs - z) ** 2).sum() / (b * n)
        slope = 1 / (1 + np.exp(-theta)) - same
        return (similarity, quantisation), (slope @ stored / 2 + 2 * ETA * (z - signs)) / (b * n)

    return checked(loss, z)


def dsh(z, images, y, U, c):
    """Every unordered pair of the batch, over b (b - 1); alpha for the distance of magnitudes to 1."""
    b, margin = len(z), MARGIN * c
    same = y[images][:, None] == y[images][None, :]
    upper = np.triu(np.ones((b, b)), 1)

    def loss(z):
        difference = z[:, None, :] - z[None, :, :]
        squares = (difference**2).sum(axis=2)
        pairs = np.where(same, squares / 2, np.maximum(margin - squares, 0) / 2)
        similarity = (pairs * upper).sum() / (b * (b - 1))
        quantisation = ALPHA * np.abs(np.abs(z) - 1).sum() / b
        pull = np.where(same, 1.0, np.where(squares < margin, -1.0, 0.0))
        gradient = (pull[:, :, None] * difference).sum(axis=1) / (b * (b - 1))
        kink = np.where((z >= 1) | ((z >= -1) & (z <= 0)), 1.0, -1.0)
        return (similarity, quantisation), gradient + ALPHA * kink / b

    return checked(loss, z)


def hashnet(z, images, y, U, c, step):
    """Every ordered pair of the batch, weighted by the classes of the train split, over b (b - 1)."""
    b, n = len(z), len(y)
    alpha = SIGMOID / c
    beta = (1 + GROWTH * ((step + 1) // STEPS * STEPS)) ** POWER
    of_split = (y[:, None] == y[None, :]) & ~np.eye(n, dtype=bool)
    total, similar = n * (n - 1), of_split.sum()
    same = (y[images][:, None] == y[images][None, :]).astype(float)
    weights = np.where(same > 0, total / similar, total / (total - similar)) * (1 - np.eye(b))

    def loss(z):
        h = np.tanh(beta * z)
        products = alpha * h @ h.T
        similarity = (weights * (softplus(products) - same * products)).sum() / (b * (b - 1))
        slope = weights * (1 / (1 + np.exp(-products)) - same)
        gradient = 2 * alpha * slope @ h * beta * (1 - h**2) / (b * (b - 1))
        return (similarity, 0.0), gradient

    return checked(loss, z)


def fph(z, images, y, U, c):
    """Every triplet of an image, another of its class and one of another class, over their number."""
    b = len(z)
    same = y[images][:, None] == y[images][None, :]
    triplets = (same & ~np.eye(b, dtype=bool))[:, :, None] & ~same[:, None, :]

    def loss(z):
        h = 1 / (1 + np.exp(-z))
        difference = h[:, None, :] - h[None, :, :]
        squares = (difference**2).sum(axis=2)
        violation = np.where(triplets, FPH_MARGIN * c + squares[:, :, None] - squares[:, None, :], 0)
        active = (violation > 0) / triplets.sum()
        gradient = np.zeros_like(z)
        for i, j, k in np.argwhere(active):
            near, far = 2 * active[i, j, k] * difference[i, j], 2 * active[i, j, k] * difference[i, k]
            gradient[i] += near - far
            gradient[j] -= near
            gradient[k] += far
        return (np.maximum(violation, 0).sum() / triplets.sum(), 0.0), gradient * h * (1 - h)

    return checked(loss, z)


def dash(z, images, y, U, c):
    """Ordered pairs of attended and whole pictures; those of each kind weigh 1 together."""
    b = len(z)
    same = (y[images][:, None] == y[images][None, :]).astype(float)
    others = 1 - np.eye(b)
    weights = same * others / (same * others).sum() + (1 - same) / (1 - same).sum()
    sign = 2 * same - 1

    def squares(h):
        return ((h[:, None, :] - h[None, :, :]) ** 2).sum(axis=2)

    bar = squares(np.tanh(z[:, c:]))

    def loss(z):
        gradient = np.zeros_like(z)
        similarity = 0.0
        for part in (slice(0, c), slice(c, 2 * c)):
            h = np.tanh(z[:, part])
            theta = h @ h.T / 2
            similarity += (weights * (softplus(theta) - same * theta)).sum() / 2
            slope = weights * (1 / (1 + np.exp(-theta)) - same) / 2
            gradient[:, part] = slope @ h * (1 - h**2)
        h = np.tanh(z[:, :c])
        violation = DASH_MARGIN * c + sign * (squares(h) - bar)
        similarity += LAMBDA * (weights * np.maximum(violation, 0)).sum() / c
        pull = LAMBDA * weights * sign * (violation > 0) / c
        saliency = 4 * (pull[:, :, None] * (h[:, None, :] - h[None, :, :])).sum(axis=1)
        signs = np.where(h >= 0, 1.0, -1.0)
        quantisation = DASH_ETA * ((h - signs) ** 2).sum() / (b * c)
        gradient[:, :c] += (saliency + 2 * DASH_ETA * (h - signs) / (b * c)) * (1 - h**2)
        return (similarity, quantisation), gradient

    return checked(loss, z)


def pairs(method, c, scale, step=0):
    prefix, n, b, K = f"T/{method}-{c}-{step}", 40, 12, 4
    y = ints(prefix + "/labels", n, K)
    images = np.array(pick(prefix + "/images", n, b))
    z = values(prefix + "/z", (b, c * (2 if method == "dash" else 1)), scale).astype(np.float64)
    U = values(prefix + "/U", (n, c), scale).astype(np.float64)
    more = (step,) if method == "hashnet" else ()
    (similarity, quantisation), gradient = globals()[method](z, images, y, U, c, *more)
    return {
        "method": method,
        "prefix": prefix,
        "n": n,
        "batch": b,
        "K": K,
        "c": c,
        "scale": scale,
        "step": step,
        "similarity": rounded(float(similarity)),
        "quantisation": rounded(float(quantisation)),
        "gradient": rounded(gradient.ravel().tolist()),
    }


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
    cases = [pairs("dpsh", 6, 3), pairs("dpsh", 20, 2), pairs("dsh", 6, 2.5), pairs("dsh", 20, 1.5)]
    cases += [pairs("hashnet", 6, 1), pairs("hashnet", 20, 0.75, 398), pairs("hashnet", 20, 0.75, 399)]
    cases += [pairs("fph", 6, 2), pairs("fph", 20, 2), pairs("dash", 6, 2), pairs("dash", 20, 1)]
    print(json.dumps({"pairs": cases, "adsh": [adsh(6), adsh(20)]}))
