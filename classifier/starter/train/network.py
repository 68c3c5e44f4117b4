"""The network: a convolution of width three over word vectors, pooled by maximum and mean, then a small dense layer.

A convolution is linear in each word before its threshold, so that after training vectors and filters fold into three lookup
tables (one for each place in the window). What is left to run is lookups, sums and two tiny products: fast without any matrix library.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

PAD, UNKNOWN, SEPARATOR = 0, 1, 3
SPECIALS = 5
# Texts are padded to the smallest of these, so that only few shapes compile. Longer ones are cut, as the service does.
LENGTHS = (24, 48, 128)
WIDTH = 3
# The mean of a filter is far smaller than its maximum; the dense layer learns faster when both are of one size.
MEAN_SCALE = 3.0


@dataclass(frozen=True)
class Settings:
    """Chosen by cross-validation over the sentences that may be learned from."""

    filters: int = 24
    hidden: int = 32
    epochs: int = 6
    batch: int = 64
    rate: float = 2e-3
    vector_rate: float = 0.3  # times rate: vectors that came trained move slowly
    vector_decay: float = 0.05  # pulls vectors back to where they came from
    decay: float = 0.01
    drop_word: float = 0.1
    drop_pooled: float = 0.4
    drop_hidden: float = 0.2


def start(vectors: np.ndarray, settings: Settings, key) -> dict:
    keys = jax.random.split(key, 4)
    dimensions, filters, hidden = vectors.shape[1], settings.filters, settings.hidden
    unknown = np.abs(vectors).sum(1, keepdims=True) == 0
    unknown[PAD] = False

    def normal(key, shape, scale):
        return scale * jax.random.normal(key, shape)

    return {
        "shift": normal(keys[0], vectors.shape, 0.05) * unknown,
        "filters": normal(keys[1], (WIDTH, dimensions, filters), 0.3 * np.sqrt(2 / WIDTH)),
        "bias": jnp.zeros(filters),
        "dense": normal(keys[2], (2 * filters, hidden), np.sqrt(1 / filters)),
        "dense_bias": jnp.zeros(hidden),
        "out": normal(keys[3], (hidden,), np.sqrt(2 / hidden)),
        "out_bias": jnp.zeros(()),
    }


def score(weights: dict, vectors, ids, settings: Settings, key=None):
    """The log odds of POSITIVE for every row of ids; with a key, under dropout."""
    mask = (ids != PAD).astype(jnp.float32)[:, :, None]

    def drop(values, rate, key):
        return values * jax.random.bernoulli(key, 1 - rate, values.shape) / (1 - rate)

    if key is not None:
        word_key, pooled_key, hidden_key = jax.random.split(key, 3)
        lost = jax.random.bernoulli(word_key, settings.drop_word, ids.shape) & (ids >= SPECIALS)
        ids = jnp.where(lost, UNKNOWN, ids)
    words = (vectors + weights["shift"])[ids] * mask
    found = weights["bias"]
    for place in range(WIDTH):
        back = WIDTH - 1 - place
        part = words @ weights["filters"][place]
        found = found + jnp.pad(part, ((0, 0), (back, 0), (0, 0)))[:, : ids.shape[1]]
    found = jax.nn.relu(found) * mask
    mean = found.sum(1) / jnp.maximum(mask.sum(1), 1)
    pooled = jnp.concatenate([found.max(1), MEAN_SCALE * mean], -1)
    if key is not None:
        pooled = drop(pooled, settings.drop_pooled, pooled_key)
    hidden = jax.nn.relu(pooled @ weights["dense"] + weights["dense_bias"])
    if key is not None:
        hidden = drop(hidden, settings.drop_hidden, hidden_key)
    return hidden @ weights["out"] + weights["out_bias"]


def padded(rows: list[list[int]], length: int) -> np.ndarray:
    ids = np.full((len(rows), length), PAD, np.int32)
    for at, row in enumerate(rows):
        row = row if len(row) <= length else row[: length - 1] + [SEPARATOR]
        ids[at, : len(row)] = row
    return ids


def fit(rows, targets, importance, vectors, settings: Settings, seed: int) -> dict:
    """Trains with AdamW under a rate that falls to zero; the same arguments give the same weights."""
    order = np.random.default_rng(seed)
    key = jax.random.PRNGKey(seed)
    key, first = jax.random.split(key)
    weights = start(vectors, settings, first)
    arrays = {length: padded(rows, length) for length in LENGTHS}
    steps = settings.epochs * len(_batches(rows, settings.batch, np.random.default_rng(0)))
    vectors = jnp.asarray(vectors)

    def loss(weights, ids, target, weight, key):
        logit = score(weights, vectors, ids, settings, key)
        return jnp.mean(weight * (jax.nn.softplus(logit) - logit * target))

    @jax.jit
    def step(weights, first, second, count, ids, target, weight, key):
        slope = jax.grad(loss)(weights, ids, target, weight, key)
        rate = settings.rate * jnp.minimum(1, count / 100) * (1 - count / (steps + 1))
        first = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, first, slope)
        second = jax.tree.map(lambda old, new: 0.999 * old + 0.001 * new * new, second, slope)
        moved = {}
        for name, value in weights.items():
            slow, decay = (settings.vector_rate, settings.vector_decay) if name == "shift" else (1.0, settings.decay)
            direction = (first[name] / (1 - 0.9**count)) / (jnp.sqrt(second[name] / (1 - 0.999**count)) + 1e-8)
            moved[name] = value - rate * slow * (direction + decay * value)
        return moved, first, second

    first = second = jax.tree.map(jnp.zeros_like, weights)
    count = 0
    for _ in range(settings.epochs):
        for chosen, length in _batches(rows, settings.batch, order):
            count += 1
            key, used = jax.random.split(key)
            weights, first, second = step(
                weights, first, second, float(count), arrays[length][chosen], targets[chosen], importance[chosen], used
            )
    return {name: np.asarray(value) for name, value in weights.items()}


def predict(weights: dict, rows, vectors, settings: Settings) -> np.ndarray:
    ids = padded(rows, LENGTHS[-1])
    run = jax.jit(lambda ids: score(weights, jnp.asarray(vectors), ids, settings))
    return np.concatenate([np.asarray(run(ids[at : at + 256])) for at in range(0, len(ids), 256)])


def _batches(rows, size: int, order: np.random.Generator):
    lengths = np.array([len(row) for row in rows])
    shuffled = order.permutation(len(rows))
    made, low = [], 0
    for length in LENGTHS:
        high = length if length < LENGTHS[-1] else np.inf
        chosen = shuffled[(lengths[shuffled] > low) & (lengths[shuffled] <= high)]
        low = length
        for at in range(0, len(chosen), size):
            part = chosen[at : at + size]
            if len(part) < size:  # one shape for each length
                part = np.concatenate([part, order.choice(chosen, size - len(part))])
            made.append((part, length))
    order.shuffle(made)
    return made
