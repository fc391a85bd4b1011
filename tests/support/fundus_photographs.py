"""Photographs of eyes whose circle is known: drawn here, by nothing of the library."""

from typing import NamedTuple

import cv2
import numpy as np


class Photograph(NamedTuple):
    """``image`` uint8 (h, w, 3); the circle's centre in pixel-centre coordinates and its radius, in
    pixels.
    """

    image: np.ndarray
    x: float
    y: float
    radius: float


CUTS = ("none", "top and bottom", "left and right", "one side", "black bars")


def photograph(seed: int, *, height: int = 300, cut: str = "none") -> Photograph:
    """An eye of random looks and place on a dark ground, cut by the frame or by black bars as asked
    for.
    """
    rng = np.random.default_rng(seed)
    width, radius = round(height * rng.uniform(1.0, 1.5)), height * rng.uniform(0.3, 0.47)
    if cut in ("top and bottom", "left and right"):
        radius = height / 2 * rng.uniform(1.05, 1.3)
        width = round(2 * radius * rng.uniform(1.03, 1.4))
    if cut == "left and right":
        width, height = height, width
    room = np.abs(np.array([width, height]) / 2 - radius)
    x, y = np.array([width - 1, height - 1]) / 2 + room * rng.uniform(-0.8, 0.8, 2)
    if cut == "one side":
        y = radius * rng.uniform(0.5, 0.9)
    image = _eye(rng, height, width, x, y, radius)
    if cut == "black bars":
        bar = radius * rng.uniform(0.7, 0.9)
        rows = np.arange(height)
        image[(rows < y - bar) | (rows > y + bar)] = 0
    return Photograph(_noisy(rng, image), x, y, radius)


def _eye(rng, height, width, x, y, radius):
    """Linear light 0..255 as float32: the disc with its vessels, darker towards the rim, on
    nothing.
    """
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    u, v = (columns - x) / radius, (rows - y) / radius
    distance = np.hypot(u, v)
    tint = rng.uniform((110, 45, 15), (230, 130, 70))
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    light = 1 + slope * (np.cos(angle) * u + np.sin(angle) * v) - rng.uniform(0, 0.7) * distance**2
    clouds = cv2.resize(
        rng.normal(0, 0.1, (9, 9)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    disc_x, disc_y = rng.choice([-0.5, 0.5]), rng.uniform(-0.1, 0.1)
    light = (light + clouds) * _vessels(rng, u, v, disc_x, disc_y)
    light = light + rng.uniform(0.3, 0.9) * (
        np.hypot(u - disc_x, v - disc_y) < rng.uniform(0.12, 0.18)
    )
    light = light * rng.uniform(0.35, 1.2)
    inside = np.clip(
        (1 - distance) * radius / rng.uniform(0.7, 3) + 0.5, 0, 1
    )  # the rim is a ramp about the radius
    return np.clip(light, 0.12, None)[..., None] * tint * inside[..., None]


def _vessels(rng, u, v, disc_x, disc_y):
    """The share of light that dark curves from the optic disc let through."""
    drawn = np.zeros(u.shape, np.float32)
    for bend in (-1, -0.45, 0.45, 1):
        curve = (
            disc_y + bend * np.sqrt(np.abs(u - disc_x)) + 0.05 * np.sin(7 * u + rng.uniform(0, 6))
        )
        drawn = np.maximum(drawn, np.exp(-(((v - curve) / rng.uniform(0.012, 0.03)) ** 2)))
    return 1 - rng.uniform(0.3, 0.6) * drawn


def _noisy(rng, image):
    """The camera's black level of 0 to 8, sensor noise, and 8 bits."""
    image = image + rng.uniform(0, 8) + rng.normal(0, rng.uniform(0, 5), image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
