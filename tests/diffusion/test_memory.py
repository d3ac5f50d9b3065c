"""What memory a run takes is known before it begins, and the fastest way that fits is chosen."""

import weakref

import pytest
import torch
from pegbar.benchmarks import dropletvideo as benchmark
from pegbar.engine.diffusion import counting, memory, offloading
from pegbar.engine.protocol import PegbarError
from torch.nn import functional

GIB = memory.GIB
CARD = torch.device("cuda")


def rungs(*peaks, exact=4):
    """A ladder whose rungs take so many GB; those after the first few change the frames."""
    names = ("everything", "one", "blocks", "smallest")
    return memory.Ladder(
        memory.Rung(name, int(peak * GIB), name, i < exact) for i, (name, peak) in enumerate(zip(names, peaks, strict=True))
    )


def room(gigabytes, device=CARD):
    return memory.Room(device, None if gigabytes is None else int(gigabytes * GIB), None)


PEAKS = (30, 13, 9, 4)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_the_peak_is_that_of_tensors_alive_at_once(device):
    given = torch.empty(1000, device=device)

    def run():
        one = given + 1
        two = one * 2
        del one
        three = two[:500] + 0
        del two
        return three.view(50, 10)

    assert counting.counted_peak(run) == 8000, "two of 4000 bytes; what was given, and views, are not counted"


def test_what_a_run_leaves_behind_is_let_go_of():
    kept = []
    counting.counted_peak(lambda: kept.append(torch.ones(10)))
    storage = weakref.ref(kept[0])
    kept.clear()
    assert storage() is None


def test_attention_is_counted_without_its_matrix():
    query = torch.empty(1, 2, 4096, 16, device="meta")
    assert counting.counted_peak(lambda: functional.scaled_dot_product_attention(query, query, query)) == query.numel() * 4


@pytest.mark.parametrize(
    ("gigabytes", "mode"), [(3, "smallest"), (6, "smallest"), (12, "blocks"), (16, "one"), (24, "one"), (40, "everything")]
)
def test_the_fastest_mode_that_fits_is_chosen(gigabytes, mode):
    assert memory.chosen(rungs(*PEAKS), room(gigabytes)).name == mode


def test_where_free_memory_is_not_known_one_model_is_loaded_at_a_time():
    assert memory.chosen(rungs(*PEAKS), room(None)).name == "one"


def test_some_memory_is_left_for_the_driver():
    assert memory.chosen(rungs(*PEAKS), room(13)).name == "blocks"
    assert memory.chosen(rungs(*PEAKS), room(memory.needed(13 * GIB) / GIB)).name == "one"


def test_on_the_processor_the_frames_do_not_depend_on_the_hour():
    cpu = torch.device("cpu")
    assert memory.chosen(rungs(*PEAKS, exact=3), room(5, cpu)).name == "blocks"
    assert memory.chosen(rungs(*PEAKS, exact=3), room(5)).name == "smallest"


def test_a_rung_that_saves_nothing_is_passed_over_and_a_lower_one_is_counted_when_it_is_come_to():
    counted = []

    def rung(name, peak):
        counted.append(name)
        return memory.Rung(name, peak)

    ladder = memory.Ladder(rung(name, peak) for name, peak in (("a", 100), ("b", 99), ("c", 40), ("d", 50), ("e", 20)))
    assert memory.chosen(ladder, memory.Room(torch.device("cpu"), 100, None, is_limited=True)).name == "a" and counted == ["a"]
    assert [rung.name for rung in ladder] == ["a", "c", "e"]
    assert ladder.below(next(iter(ladder))).name == "c" and ladder.below(memory.Rung("e", 20)) is None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("no"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.06 GB)"),
    ],
)
def test_full_memory_is_known_whatever_says_so(error):
    assert memory.is_out_of_memory(error) and not memory.is_out_of_memory(RuntimeError("shapes do not fit"))


def test_a_limit_is_what_there_is():
    there = memory.room(torch.device("cpu"), 0.5)
    assert (there.total, there.is_card) == (GIB // 2, True) and there.free <= GIB // 2
    assert not memory.room(torch.device("cpu")).is_card


def test_a_limit_is_enforced_with_the_weights_that_are_there():
    held = 600

    def run():
        return torch.zeros(100)

    with counting.enforced(1000, lambda: held):
        kept = run()
        with pytest.raises(torch.OutOfMemoryError):
            run()
        del kept
        held = 0
        kept = [run(), run()]
        with counting.in_main_memory():
            kept.append(run())
        assert len(kept) == 3, "what is read into main memory does not count"


def test_free_memory_is_known_on_this_machine():
    assert memory.free_bytes(torch.device("cpu")) > 100 * 2**20


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(PegbarError, match="There is no device 'cuda:7' on this machine"):
        memory.device_of("cuda:7")


def test_integers_are_at_most_half_a_step_off():
    layer = torch.nn.Linear(64, 5)
    layer.weight.data[3] = 0
    held = torch.nn.Module()
    held.transformer_blocks = torch.nn.ModuleList([torch.nn.Sequential(layer)])
    offloading.keep_in_8_bits(held, "int8", torch.float32)
    step = layer.weight.abs().amax(1) / 127
    with torch.no_grad():
        seen = held.transformer_blocks[0](torch.eye(64)) - layer.bias
    assert ((seen.T - layer.weight).abs().amax(1) <= 0.501 * step + 1e-7).all()


def test_estimates_hold_against_what_the_processor_takes():
    """In a process of its own."""
    said, taken = benchmark.estimated(), benchmark.measured_in_a_process()
    for stage, measured in taken.items():
        assert abs(measured / said[stage] - 1) < 0.1, (stage, said[stage], measured)


def test_convolutions_take_more_on_the_processor_alone():
    def peak(rows, on_processor):
        values, weight = torch.empty(1, 64, 5, rows, 96, device="meta"), torch.empty(8, 64, 3, 3, 3, device="meta")
        made = 8 * 3 * (rows - 2) * 94
        return counting.counted_peak(lambda: functional.conv3d(values, weight), on_processor) / 4 - made, values.numel(), 64 * 27 * made / 8

    assert peak(64, False)[0] == peak(65, False)[0] == 0
    more, _, windows = peak(64, True)
    assert more == windows, "of a small one a column for each window"
    more, copied, _ = peak(65, True)
    assert more == copied


def test_what_fits_which_card_at_full_size():
    """The table of docs/memory.md."""
    found, size = benchmark.FULL
    modes = {}
    for precision in ("full", "fp8"):
        counted = benchmark.budget.stages(found, size, torch.bfloat16, precision)
        peaks = counted.peaks()
        assert list(peaks) == list(memory.MODES) and sorted(peaks.values(), reverse=True) == list(peaks.values())
        ladder = benchmark.budget.rungs(counted, room(None), {"memory": "automatic"})
        modes[precision] = [memory.chosen(ladder, room(card)).name for card in (8, 12, 16, 24, 40, 80)]
    assert modes["full"] == ["smallest", "blocks", "one", "one", "everything", "everything"]
    assert modes["fp8"] == ["smallest", "one", "one", "one", "everything", "everything"]


def test_on_the_processor_offloaded_blocks_save_nothing():
    found, size = benchmark.TINY
    peaks = benchmark.budget.stages(found, size, torch.float32, on_processor=True).peaks()
    assert peaks["blocks"] == peaks["one"] and peaks["smallest"] <= peaks["one"] < peaks["everything"]


def test_the_estimate_grows_with_the_picture_and_the_length():
    found, size = benchmark.TINY
    small = benchmark.budget.stages(found, size, torch.float32)
    wide = benchmark.budget.stages(found, benchmark.budget.Size(2 * size.width, size.height, size.latent_frames), torch.float32)
    long = benchmark.budget.stages(found, benchmark.budget.Size(size.width, size.height, 3 * size.latent_frames), torch.float32)
    assert wide.decode > 1.8 * small.decode and wide.encode > 1.8 * small.encode and wide.draw > small.draw
    assert long.draw > small.draw and long.decode < 1.1 * small.decode, "the VAE works in chunks of time"
