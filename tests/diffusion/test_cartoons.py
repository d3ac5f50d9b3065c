"""The cartoons that the region matcher is trained from: exact identities, closed regions, two configurations, any size."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from pegbar.training.flat.cartoons import HELD_OUT, TRAINING, Clip, clean, clip, clothes, faces, hair, palette, people, props, wear
from pegbar.training.flat.cartoons.backdrops import BACKDROPS
from pegbar.training.flat.cartoons.beasts import BEASTS
from pegbar.training.flat.cartoons.figures import Figure, Wave, pose
from pegbar.training.flat.cartoons.outlines import box, ellipse, refined
from pegbar.training.flat.cartoons.scenes import CASTS

cv2.setNumThreads(1)
BOTH = pytest.mark.parametrize("config", [TRAINING, HELD_OUT], ids=["training", "held out"])
REGISTRIES = {
    "casts": CASTS,
    "plans": people.PLANS,
    "beasts": BEASTS,
    "eyes": faces.EYES,
    "noses": faces.NOSES,
    "mouths": faces.MOUTHS,
    "extras": faces.EXTRAS,
    "marks": {"none": None, **props.MARKS},
    "fringes": hair.FRINGES,
    "hair": hair.BEHIND,
    "hats": hair.HATS,
    "tops": clothes.TOPS,
    "bottoms": clothes.BOTTOMS,
    "clothes": clothes.CLOTHES,
    "props": {"none": None, **props.PROPS},
    "backdrops": BACKDROPS,
    "pens": dict.fromkeys(("pen", "brush", "sketch", "double", "broken")),
}


def enclosed(lines: np.ndarray, least: int = 20) -> tuple[np.ndarray, int]:
    """Labels of the areas that the lines of one frame enclose, 0 for lines and specks, and their number."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((lines < 128).astype(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0)[labels], int(keep.sum())


def number_of_regions(made: Clip) -> int:
    return sum(enclosed(lines)[1] for lines in made.lines)


@BOTH
def test_a_seed_makes_the_same_clip_again_and_another_seed_another(config):
    one, again, other = clip(3, 3, config=config), clip(3, 3, config=config), clip(4, 3, config=config)
    assert np.array_equal(one.lines, again.lines) and np.array_equal(one.ids, again.ids) and one.count == again.count
    assert not np.array_equal(one.lines, other.lines)


@BOTH
def test_more_frames_show_the_same_motion_at_more_times(config):
    for seed in range(6):
        few, many = clip(seed, 3, config=clean(config)), clip(seed, 5, config=clean(config))
        assert np.array_equal(few.lines, many.lines[::2])


@BOTH
def test_what_clean_lines_enclose_is_of_one_paint(config):
    pure = total = 0
    for seed in range(40):
        made = clip(seed, 2, config=clean(config))
        for lines, ids in zip(made.lines, made.ids, strict=True):
            labels, n = enclosed(lines)
            votes = np.bincount(labels.ravel() * made.count + ids.ravel(), minlength=(n + 1) * made.count).reshape(n + 1, -1)[1:]
            pure, total = pure + votes.max(1).sum(), total + votes.sum()
    assert pure / total > 0.99


@BOTH
def test_every_identity_is_seen_and_there_are_at_most_eighty(config):
    for seed in range(30):
        made = clip(seed, 4, config=config)
        assert set(np.unique(made.ids)) == set(range(made.count)) and made.count <= 80


@BOTH
def test_frames_have_as_many_regions_as_a_cartoon_and_some_unseen_at_first(config):
    regions, unseen, total = [], 0, 0
    for seed in range(60):
        made = clip(seed, 4, config=clean(config))
        known = np.unique(made.ids[0][made.lines[0] < 128])
        for lines, ids in zip(made.lines, made.ids, strict=True):
            labels, n = enclosed(lines, 8)
            first = np.unique(labels, return_index=True)[1][-n:]
            regions.append(n)
            unseen, total = unseen + (~np.isin(ids.ravel()[first], known)).sum(), total + n
    assert 15 <= np.median(regions) <= 45 and np.percentile(regions, 90) <= 80
    assert 0.015 <= unseen / total <= 0.09


def test_plain_clips_have_few_large_regions():
    plain = replace(clean(TRAINING), plain=1.0)
    regions = [number_of_regions(clip(seed, 1, config=plain)) for seed in range(60)]
    assert 8 <= np.median(regions) <= 20


@BOTH
@pytest.mark.parametrize("size", [(128, 72), (72, 128), (200, 128), (480, 270)])
def test_a_clip_has_any_size_and_aspect(config, size):
    made = clip(5, 2, size, config)
    assert made.lines.shape == made.ids.shape == (2, size[1], size[0])
    assert made.lines.dtype == made.ids.dtype == np.uint8 and made.lines.max() > 128


def test_larger_pictures_show_more_detail():
    small, large = ([number_of_regions(clip(seed, 1, (side, side), clean(HELD_OUT))) for seed in range(8)] for side in (128, 512))
    assert sum(large) > 1.3 * sum(small)


@pytest.mark.parametrize("kind", CASTS)
def test_every_kind_of_figure_is_drawn_in_several_paints(kind):
    alone = replace(HELD_OUT, plain=0.0, shares={**TRAINING.shares, "casts": {kind: 1.0}, "backdrops": {"none": 1.0}})
    assert all(clip(seed, 2, config=clean(alone)).count >= 3 for seed in range(3))


@BOTH
def test_every_kind_that_a_configuration_names_is_known(config):
    assert {table: set(kinds) - set(REGISTRIES[table]) for table, kinds in config.shares.items()} == {
        table: set() for table in config.shares
    }


def test_much_of_what_is_held_out_training_never_draws():
    for table, kinds in HELD_OUT.shares.items():
        if table in ("pens", "bottoms"):
            continue
        strange = sum(share for kind, share in kinds.items() if kind not in TRAINING.shares[table])
        assert strange >= 0.3 * sum(kinds.values()), table


# --- lines


def test_gaps_join_regions():
    made = [clip(seed, 2, config=clean(TRAINING)) for seed in range(12)]
    broken = [replace(one, lines=wear.gapped(one.lines, np.random.default_rng(0), 12)) for one in made]
    assert sum(map(number_of_regions, broken)) < 0.9 * sum(map(number_of_regions, made))
    assert all((worn.lines <= one.lines).all() for worn, one in zip(broken, made, strict=True))


def test_trimmed_lines_leave_the_edge_bare():
    trimmed = wear.trimmed(clip(1, 2, config=clean(TRAINING)).lines, 2)
    assert not trimmed[:, :2].any() and not trimmed[:, -2:].any() and not trimmed[..., :2].any() and not trimmed[..., -2:].any()
    assert trimmed.any()


def test_a_scan_is_another_in_each_frame_and_keeps_the_drawing():
    lines = clip(1, 2, config=clean(TRAINING)).lines
    still = np.repeat(lines[:1], 2, 0)
    scan = wear.scanned(still, np.random.default_rng(0))
    assert not np.array_equal(scan[0], scan[1])
    assert np.corrcoef(scan[0].ravel(), still[0].ravel())[0, 1] > 0.8


def test_broken_pens_leave_lines_open():
    pens = {pen: replace(clean(TRAINING), plain=0.0, shares={**TRAINING.shares, "pens": {pen: 1.0}}) for pen in ("pen", "broken")}
    counts = {pen: sum(number_of_regions(clip(seed, 1, config=config)) for seed in range(15)) for pen, config in pens.items()}
    assert counts["broken"] < counts["pen"]


@pytest.mark.parametrize("side", [128, 256])
@pytest.mark.parametrize("pen", ["sketch", "double"])
def test_two_strokes_leave_more_ink_than_one_at_any_size(pen, side):
    inks = {}
    for kind in ("pen", pen):
        config = replace(clean(TRAINING), plain=0.0, width=(1.0, 1.0), boil=0.0, shares={**TRAINING.shares, "pens": {kind: 1.0}})
        inks[kind] = sum(float(clip(seed, 1, (side, side), config).lines.mean()) for seed in range(6))
    assert inks[pen] > 1.2 * inks["pen"]


def test_shadows_have_a_paint_of_their_own_behind_a_lighter_line():
    shaded = replace(clean(TRAINING), plain=0.0, shaded=1.0, width=(1.0, 1.2))
    flat = replace(shaded, shaded=0.0)
    assert sum(clip(seed, 1, config=shaded).count for seed in range(10)) > 1.2 * sum(clip(seed, 1, config=flat).count for seed in range(10))


# --- figures


def test_a_turn_slides_what_lies_on_a_round_body_and_hides_it_behind_the_rim():
    figure = Figure()
    head = figure.bone(turn=Wave(0, 1.4, 1, 0))
    figure.part(head, ellipse(0.1, 0.1, (0.5, 0)), 1, 0, around=(1, 1))
    posed = pose(figure, np.array([0.0, 0.3, np.pi / 2]))
    x = posed.points[..., 0].mean(1)
    assert x[0] == pytest.approx(0.5, abs=0.02) and x[0] < x[1] < 1
    assert posed.shown[:, 0].tolist() == [True, True, False]


def test_a_limb_on_the_far_side_of_a_turning_body_goes_behind_it():
    figure = Figure()
    trunk = figure.bone(turn=Wave(0, 1.2, 1, 0))
    figure.part(trunk, box(0.5, 1), 1, 0)
    for side in (-1, 1):
        figure.part(figure.bone(trunk, (side * 0.5, 0)), box(0.1, 0.5), 2, 1.0)
    level = pose(figure, np.array([0.0, np.pi / 2])).level
    assert (level[0, 1:] > level[0, 0]).all()
    assert level[1, 2] < level[1, 0] < level[1, 1]


@pytest.mark.parametrize("up", [False, True])
def test_what_hangs_at_a_bent_bone_s_end_goes_with_it(up):
    figure = Figure()
    end = -2.0 if up else 2.0
    arm = figure.bone(angle=Wave(0.4), bend=Wave(0, 1.5), soft=(0.5, 1.5), up=up)
    figure.part(arm, np.array([[0.0, end], [0.3, end], [0.3, end + 0.1]]), 1, 0)
    hand = figure.bone(arm, (0, end))
    figure.part(hand, np.array([[0.0, 0.0], [0.3, 0.0], [0.3, 0.1]]), 1, 1)
    points = pose(figure, np.linspace(-1, 1, 5)).points
    assert points[:, :3] == pytest.approx(points[:, 3:], abs=1e-5)


def test_bending_keeps_lengths_along_a_bone():
    figure = Figure()
    limb = figure.bone(bend=Wave(0, 2.5, 1, np.pi / 2), soft=(0.2, 0.8))
    figure.part(limb, np.stack([np.zeros(200), np.linspace(0, 1, 200)], 1), 1, 0)
    points = pose(figure, np.zeros(1)).points[0]
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).sum() == pytest.approx(1, abs=1e-3)


def test_refining_rounds_curves_and_keeps_corners():
    circle, square = refined(ellipse(1, 1, n=12)), refined(box(1, 1))
    assert np.linalg.norm(circle, axis=1) == pytest.approx(1, abs=0.01)
    assert np.abs(square).max(1) == pytest.approx(1, abs=1e-9)


# --- colours


def test_a_palette_is_of_different_colours_with_some_near_tones():
    sets = [palette(np.random.default_rng(seed), 30).astype(int) for seed in range(20)]
    gaps = np.array([np.abs(colours[:, None] - colours[None]).max(-1) + 999 * np.eye(30, dtype=int) for colours in sets]).min(2)
    assert gaps.min() > 0
    assert 0.05 < (gaps < 24).mean() < 0.6
    assert np.array_equal(palette(np.random.default_rng(1), 30), palette(np.random.default_rng(1), 30))
