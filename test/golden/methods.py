"""Golden values of the methods on features, from their papers' equations, in NumPy: methods.json.

    python3 test/golden/methods.py > test/golden/methods.json

Inputs are generated from names, as support.ts does. NumPy's eigenvalue and singular value decompositions and its solver
take the place of the project's; spectral hashing multiplies the eigenfunctions of all directions, as its authors'
program does; SDH forms every matrix. ITQ's cases also have the codes of the classes' mean features, moved apart by the
objective itself, and the linear map that is nearest to them. Made with NumPy 2.4.
"""

import json

import numpy as np


def fnv(name):
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def words(name, count):
    x = (fnv(name) + (np.arange(1, count + 1, dtype=np.uint64) * 0x9E3779B9)) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return x ^ (x >> np.uint64(16))


def units(name, count):
    return (words(name, count) >> np.uint64(8)).astype(np.float64) / 2**23 - 1


def values(name, shape, scale):
    return (units(name, int(np.prod(shape))).astype(np.float32) * np.float32(scale)).reshape(shape)


def ints(name, count, k):
    return ((words(name, count) >> np.uint64(8)) % np.uint64(k)).astype(int)


def pick(name, n, m):
    w = words(name, n)
    return sorted(range(n), key=lambda i: (w[i], i))[:m]


def uniform(name, count):
    return (units(name, count) + 1) / 2


def gaussians(name, shape):
    u = uniform(name, 2 * int(np.prod(shape))).reshape(-1, 2)
    return (np.sqrt(-2 * np.log(1 - u[:, 0])) * np.cos(2 * np.pi * u[:, 1])).reshape(shape)


def components(X, count):
    """Eigenvectors of the covariance as columns, the largest first, their largest entry positive."""
    vectors = np.linalg.eigh(np.cov(X.T, bias=True))[1][:, ::-1][:, :count]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(count)]
    return vectors * np.sign(largest)


def lsh(X, Q, y, c, prefix):
    mean = X.mean(axis=0)
    normals = gaussians(prefix + "/hyperplanes", (c, X.shape[1]))
    return (X - mean) @ normals.T, (Q - mean) @ normals.T, {}


def sh(X, Q, y, c, prefix):
    P = components(X, c)
    mean = X.mean(axis=0)
    V = (X - mean) @ P
    low, high = V.min(axis=0), V.max(axis=0)
    R = high - low
    # Every eigenfunction of one direction as a row of numbers m, all others 0; the constant one is left out.
    modes = np.array([[m if i == j else 0 for i in range(c)] for j in range(c) for m in range(1, c + 1)])
    eigenvalues = ((modes * np.pi / R) ** 2).sum(axis=1)
    modes = modes[np.argsort(eigenvalues, kind="stable")[:c]]

    def eigenfunctions(V):
        waves = np.sin(np.pi / 2 + (V - low)[:, None, :] * (modes * np.pi / R)[None])
        return waves.prod(axis=2)

    chosen = [[int(row.argmax()), int(row.max())] for row in modes]
    return eigenfunctions(V), eigenfunctions((Q - mean) @ P), {"modes": chosen}


def procrustes(M):
    U, _, Wt = np.linalg.svd(M)
    return U @ Wt


def itq(X, Q, y, c, prefix):
    P = components(X, c)
    mean = X.mean(axis=0)
    V = (X - mean) @ P
    R = procrustes(gaussians(prefix + "/rotation", (c, c)))
    errors = []
    for _ in range(50):
        B = np.where(V @ R >= 0, 1.0, -1.0)
        R = procrustes(V.T @ B)
        errors.append(((B - V @ R) ** 2).sum())
    means = np.array([X[y == k].mean(axis=0) for k in range(y.max() + 1)]).astype(np.float32)
    B = separate((means - mean) @ P @ R)
    # Least squares with δ|W|² as further rows; the column of ones has no weight there.
    X1 = np.hstack([X, np.ones((len(X), 1))])
    delta = 0.1 * ((X - mean) ** 2).sum() / X.shape[1]
    extra = np.hstack([np.sqrt(delta) * np.eye(X.shape[1]), np.zeros((X.shape[1], 1))])
    solution = np.linalg.lstsq(np.vstack([X1, extra]), np.vstack([B[y], np.zeros((X.shape[1], c))]), rcond=None)[0]
    return V @ R, (Q - mean) @ P @ R, {"errors": errors, "class_codes": rows(B), "class_code_map": solution.tolist()}


def separate(projected):
    """Class codes from the signs: each bit in turn is changed where that makes the objective smaller, until none is."""
    B = np.where(projected >= 0, 1, -1)
    K, c = B.shape

    def objective():
        off = (B @ B.T + c / (K - 1))[~np.eye(K, dtype=bool)]
        return (off**2).sum()

    changed = True
    while changed:
        changed = False
        for y in range(K):
            for k in range(c):
                before = objective()
                B[y, k] *= -1
                if objective() < before - 1e-9:
                    changed = True
                else:
                    B[y, k] *= -1
    return B


SDH = {"anchors": 20, "sigma": 0.4, "lambda": 1.0, "nu": 1e-5, "delta": 0.01, "iterations": 5}


def sdh(X, Q, y, c, prefix):
    lam, nu, delta = SDH["lambda"], SDH["nu"], SDH["delta"]
    mean = X.mean(axis=0)

    def unit(F):
        F = F - mean
        return F / np.linalg.norm(F, axis=1, keepdims=True)

    anchors = unit(X)[pick(prefix + "/anchors", len(X), SDH["anchors"])]

    def kernel(F):
        squares = ((unit(F)[:, None, :] - anchors[None]) ** 2).sum(axis=2)
        return np.hstack([np.exp(-squares / (2 * SDH["sigma"] ** 2)), np.ones((len(F), 1))])

    Phi = kernel(X)
    Y = np.eye(y.max() + 1)[y]
    B = np.where(uniform(prefix + "/codes", len(X) * c) >= 0.5, 1.0, -1.0).reshape(-1, c)
    solve_w = lambda: np.linalg.solve(B.T @ B + lam * np.eye(c), B.T @ Y)
    solve_p = lambda: np.linalg.solve(Phi.T @ Phi + delta * np.eye(Phi.shape[1]), Phi.T @ B)
    objective = lambda: (
        ((Y - B @ W) ** 2).sum()
        + lam * (W**2).sum()
        + nu * (((B - Phi @ P) ** 2).sum() + delta * (P**2).sum())
    )
    W, P = solve_w(), solve_p()
    objectives = [objective()]
    for _ in range(SDH["iterations"]):
        q = Y @ W.T + nu * Phi @ P
        for _ in range(10):
            before = B.copy()
            for k in range(c):
                rest = np.delete(np.arange(c), k)
                B[:, k] = np.where(q[:, k] - B[:, rest] @ W[rest] @ W[k] >= 0, 1.0, -1.0)
            if (B == before).all():
                break
        objectives.append(objective())
        W = solve_w()
        objectives.append(objective())
        P = solve_p()
        objectives.append(objective())
    return Phi @ P, kernel(Q) @ P, {"objectives": objectives}


def rows(M):
    return ["".join("1" if value >= 0 else "0" for value in row) for row in M]


def rounded(number):
    return [rounded(each) for each in number] if isinstance(number, list) else float(f"{number:.9g}")


def case(method, c):
    prefix, n, queries, d, K = f"M/{method}-{c}", 90, 30, 24, 5
    y = ints(prefix + "/labels", n, K)
    of_queries = ints(prefix + "/query_labels", queries, K)
    centres = values(prefix + "/centres", (K, d), 1)
    X = (centres[y] + values(prefix + "/noise", (n, d), 0.75)).astype(np.float64)
    Q = (centres[of_queries] + values(prefix + "/query_noise", (queries, d), 0.75)).astype(np.float64)
    database, query, more = globals()[method](X, Q, y, c, prefix)
    everything = np.abs(np.vstack([database, query]))
    return {
        "method": method,
        "prefix": prefix,
        "n": n,
        "queries": queries,
        "d": d,
        "K": K,
        "c": c,
        "database": rows(database),
        "query": rows(query),
        "smallest_argument_of_sign": rounded(everything.min() / everything.max()),
        **{name: value if name in ("modes", "class_codes") else rounded(value) for name, value in more.items()},
    }


if __name__ == "__main__":
    print(json.dumps({"sdh": SDH, "cases": [case(m, c) for m in ("lsh", "sh", "itq", "sdh") for c in (6, 16)]}))
