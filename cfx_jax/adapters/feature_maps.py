"""The layers of a model that hold feature maps, and the order of their axes.

What a layer gives for an image may be maps ``(f, fh, fw)``, as behind a convolution of PyTorch,
maps ``(fh, fw, f)``, as within a block of ConvNeXt or Swin, or no maps at all, such as the weights
``(heads, tokens, tokens)`` of an attention. The order is found by experiment: for an image twice as
high the axis of the height is longer, for one twice as wide that of the width, and no other is. A
layer that is not reached, since the model takes images of one size only, is judged by its shape.
"""

from collections.abc import Collection, Mapping

from cfx_jax.errors import InputError

FIRST, LAST = "channels_first", "channels_last"
Shape = tuple[int, ...]
Sides = tuple[int, int]
_SIDES = {FIRST: (1, 2), LAST: (0, 1)}
"""The axes of height and width of one image's value."""


def find_orders(
    shapes: Mapping[str, Shape],
    taller: Mapping[str, Shape],
    wider: Mapping[str, Shape],
    *,
    image: Sides,
    layout: str,
    convolutions: Collection[str] = (),
) -> dict[str, str]:
    """Finds the layers that hold feature maps, and where their channels are.

    A layer that shows nothing by its growth is judged by its shape: the sides of its maps are in
    proportion to the image's and no longer than those of the maps before. Where maps of the model's
    own layout would be ``(f, fh, fw)``, the other order must not fit as well.

    Args:
        shapes: of the layers' values for the image, by name, in the order in which they end.
        taller: the same for an image of twice the height, as far as the model takes it.
        wider: the same for an image of twice the width.
        image: height and width.
        layout: of the images that the model takes, ``"channels_first"`` or ``"channels_last"``.
        convolutions: names of layers that are known to give maps ``(f, fh, fw)``.

    Returns:
        By name ``"channels_first"`` or ``"channels_last"``; no other layer holds maps.
    """
    orders: dict[str, str] = {}
    largest = image if layout == LAST else None  # sides of the maps before
    for name, shape in shapes.items():
        if len(shape) != 3:
            continue
        grown = _growth(shape, taller.get(name), wider.get(name))
        if grown is not None:
            order = next((order for order, axes in _SIDES.items() if axes == grown), None)
        elif name.partition(":")[0] in convolutions:
            order = FIRST
        else:
            order = None if largest is None else _by_shape(shape, image, largest, layout)
        if order is not None:
            orders[name] = order
            sides = _sides_of(shape, order)
            largest = sides if max(sides) > 1 else largest
    return orders


def shape_of_maps(shape: Shape, order: str | None) -> Shape:
    """The shape of a layer's value with the channels last.

    >>> shape_of_maps((64, 7, 5), "channels_first"), shape_of_maps((7, 5, 64), "channels_last")
    ((7, 5, 64), (7, 5, 64))
    """
    return (*shape[1:], shape[0]) if order == FIRST else shape


def no_maps(layer: str, shape: Shape, layers: Collection[str]) -> InputError:
    """The error of a layer that holds no feature maps.

    Args:
        layer: its name.
        shape: of its value for one image.
        layers: names of those that hold some.
    """
    shown = f"one of those that do ({', '.join(list(layers)[-12:])})" if layers else "another model"
    return InputError(
        f"layer: expected one with feature maps (fh, fw, f) no larger than the image, got"
        f" {layer!r} with {shape}: take {shown}"
    )


def _growth(shape: Shape, taller: Shape | None, wider: Shape | None) -> Shape | None:
    """The axes that grow with the image's height and with its width; None where nothing is known.

    Of what is no map there are several for one side, or none, or one for both sides.
    """
    if taller is None or wider is None or taller == wider == shape:
        return None
    if not len(shape) == len(taller) == len(wider):
        return ()
    return tuple(
        axis
        for other in (taller, wider)
        for axis in range(len(shape))
        if shape[axis] != other[axis]
    )


def _by_shape(shape: Shape, image: Sides, largest: Sides, layout: str) -> str | None:
    orders = (LAST,) if layout == LAST else (FIRST, LAST)
    fitting = [order for order in orders if _fits(_sides_of(shape, order), image, largest)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(sides: Sides, image: Sides, largest: Sides) -> bool:
    """Whether sides are the image's, divided by one number and rounded."""
    (height, width), (rows, columns) = sides, image
    is_like = abs(height - width * rows / columns) <= 1 or abs(width - height * columns / rows) <= 1
    return is_like and height <= largest[0] and width <= largest[1]


def _sides_of(shape: Shape, order: str) -> Sides:
    first, second = _SIDES[order]
    return shape[first], shape[second]
