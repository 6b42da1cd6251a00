"""The shapes of leaves that profiles choose from; those that come more often are repeated."""

from __future__ import annotations

from parity.language.shapes import Shape

#: Shapes of leaves; most broadcast against each other, in both directions.
SHAPES: tuple[Shape, ...] = (
    *((), (2,), (3,), (2, 3), (1,), (1, 3), (2, 1), (2, 2)),
    *((3, 3), (), (2, 3), (3,), (0,), (0, 3), (1, 1), (2, 1, 3)),
)
#: Of up to three dimensions, few of them squares.
DEEP: tuple[Shape, ...] = ((), (2, 3, 2), (2, 3), (2, 1, 3), (3,), (1, 2, 3), (0, 3), (3, 2, 2))
#: But for the first, with at least two axes that are longer than 1.
WIDE: tuple[Shape, ...] = (
    *((), (3, 2), (2, 3, 2), (3, 3), (2, 2), (2, 1, 3), (2, 3), (2, 2, 2)),
    *((2, 3), (3, 2), (2, 3, 2), (3, 1, 2), (2, 2), (2, 1, 3), (2, 3), (2, 3, 2)),
)
#: Small ones, also of one element.
SMALL: tuple[Shape, ...] = (
    *((), (2,), (2, 2), (1,), (2, 1), (1, 2), (3,), (1, 1), (0,), (2, 1, 2)),
)
#: With some elements each, so that special values meet others.
FEW: tuple[Shape, ...] = ((), (3,), (4,), (2,), (2, 3), (3,), (2, 2), (4,))

#: Around the lengths at which code works in blocks, or changes its way. Most have more than 256
#: elements, as a fault from some size on shows in all larger ones as well.
LARGE: tuple[Shape, ...] = (
    (),
    *((1025,), (1000,), (257,), (1025,), (1000,), (513,)),
    *((129,), (65,), (33,), (17,), (255,), (63,)),
    *((31, 33), (65, 17), (17, 65), (129, 8), (9, 127), (5, 257), (257, 2), (2, 513), (33, 9)),
    *((1, 1025), (1025, 1), (15, 16), (7, 9), (128, 5), (64, 16), (8, 65), (2, 17)),
    *((5, 7, 33), (9, 17, 7), (2, 1, 257), (129, 2, 5), (17, 2, 31), (1, 65, 8), (2, 2, 5)),
    *((2, 3, 5, 33), (5, 1, 7, 17), (2, 9, 2, 15), (1, 2, 129, 3), (2, 2, 1, 5)),
    *((2, 3, 1, 5, 17), (5, 2, 7, 2, 3), (1, 2, 2, 33, 5), (2, 1, 3, 2, 2), (2, 5, 1, 3, 9)),
    *((3, 2, 2, 2, 17), (2, 2, 2, 2, 5), (2, 3, 4, 5, 6), (33, 2, 1, 2, 3), (1, 5, 2, 9, 2)),
)
#: Beyond 16 bits, and around a block of 4096.
SCALE: tuple[Shape, ...] = (
    *(
        (),
        (32769,),
        (32769,),
        (32769,),
        (4097,),
        (32770,),
        (65537,),
        (70000,),
        (32769, 2),
        (2, 32769),
    ),
)
