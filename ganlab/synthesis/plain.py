"""Engines of the families that have no fast path: the layers of the readable modules, run one by one.

They compute in float32 whatever precision is asked for: the families were trained in it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganlab.networks import biggan, biggan_deep, dcgan_norm, lucidrains, progan, stylegan1, stylegan3, vitgan
from ganlab.networks.several import Levels
from ganlab.nn.mapping import StagedSynthesis
from ganlab.nn.style import split_offsets
from ganlab.synthesis.full import full
from ganlab.synthesis.steps import Inputs, Maker, NoiseInput, Step, Steps
from ganlab.synthesis.store import Store


class StyleGan1Engine(Steps[Maker]):
    """StyleGAN. It can be entered at every layer; colours, which have no style, are made once, at the end."""

    def __init__(
        self, synthesis: stylegan1.SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(synthesis.num_ws, device)
        for k, layer in enumerate(synthesis.layers()):
            side = layer.resolution
            name = ("conv1" if k % 2 else "conv0") if k else "const"
            strength = layer.noise_strength
            step = Step(f"{side}x{side} {name}", "conv", side, k, k, len(strength), 2 * len(strength))
            self._add(step, _Layer(synthesis, k))
            self.noises.append(NoiseInput(side, layer.noise_const, strength))
        channels = synthesis.img_channels
        self._add(Step(f"{side}x{side} torgb", "rgb", side, None, None, channels), _Rgb(synthesis.torgb, k))


class _Layer:
    def __init__(self, synthesis: stylegan1.SynthesisNetwork, index: int) -> None:
        self.index, self.layer, self.const = index, synthesis.layers()[index], synthesis.blocks()[0].const

    def sources(self) -> list[int]:
        return [self.index - 1] if self.index else []

    def styles(self, ws: Tensor) -> Tensor:
        return self.layer.affine(ws[:, self.index])

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        x = _features(store, i - 1) if i else self.const.expand(len(given), -1, -1, -1)
        _keep(self.layer(x, given.ws[:, self.index], given.noise[self.index], given.offset(i)), store, i)


class LucidrainsEngine(Steps[Maker]):
    """lucidrains' StyleGAN2. It can be entered at every block, which has one style, and has early colours.

    There is one noise image, U(0, 1), and a block of size s reads its s x s corner in both of its layers. Here each
    block has an input of its own, so that noise can be set, held and painted block by block and in the right place;
    left alone it is that corner. Without noise it is zero; the offset that the layers learned with it stays.
    """

    def __init__(
        self, synthesis: lucidrains.SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(synthesis.num_ws, device)
        fixed = synthesis.noise("const", 1)[0, :, :, 0].T  # the network turns its noise: x is y
        for k, block in enumerate(synthesis.blocks):
            assert isinstance(block, lucidrains.Block)
            side, channels = 4 * 2**k, len(block.to_rgb.conv.weight)
            features, colours = self._last("conv"), self._last("rgb")
            made = _Block(synthesis, block, k, features)
            o, i = block.conv1.weight.shape[:2]
            self._add(Step(f"{side}x{side} block", "conv", side, k, k, o, i + o), made)
            strength = torch.stack([block.to_noise1.weight, block.to_noise2.weight])
            self.noises.append(NoiseInput(side, fixed[:side, :side], strength, uniform=True))
            self._add(Step(f"{side}x{side} torgb", "rgb", side, k, None, channels, o), _Colours(block, k, colours))


class _Block:
    def __init__(
        self, synthesis: lucidrains.SynthesisNetwork, block: lucidrains.Block, row: int, source: int | None
    ) -> None:
        self.synthesis, self.block, self.row, self.source = synthesis, block, row, source

    def sources(self) -> list[int]:
        return [] if self.source is None else [self.source]

    def styles(self, ws: Tensor) -> Tensor:
        w = ws[:, self.row]
        return torch.cat([self.block.to_style1(w), self.block.to_style2(w)], 1)

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        n, added, offset = len(given), given.noise[self.row], given.offset(i)
        x = self.synthesis.start(n) if self.source is None else lucidrains.grown(_features(store, self.source))
        side = x.shape[2]
        noise = x.new_zeros(n, 1, side, side) if added is None else added.expand(n, 1, side, side)
        offsets = split_offsets(offset, self.block.affines()[:2])
        _keep(self.block(x, given.ws[:, self.row], noise.permute(0, 3, 2, 1), offsets), store, i)


class _Colours:
    """The image so far, in [-1, 1]; growing keeps constants, so the step there from [0, 1] is taken once."""

    def __init__(self, block: lucidrains.Block, row: int, image: int | None) -> None:
        self.block, self.row, self.image = block, row, image

    def sources(self) -> list[int]:
        return [2 * self.row] if self.image is None else [2 * self.row, self.image]

    def styles(self, ws: Tensor) -> Tensor:
        return self.block.to_rgb.to_style(ws[:, self.row])

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        rgb = 2 * self.block.to_rgb(_features(store, i - 1), given.ws[:, self.row], given.offset(i))
        before = -1 if self.image is None else lucidrains.blurred(lucidrains.grown(store.get(self.image)))
        store.plain(i, *rgb.shape[:3]).copy_(rgb + before)


class StyleGan3Engine(Steps[Maker]):
    """StyleGAN3. It can be entered at every layer; its input, waves that w turns and moves, has no style of its own."""

    moves = True

    def __init__(
        self, synthesis: stylegan3.SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(synthesis.num_ws, device)
        source, layers = synthesis.input, synthesis.layers()
        waves, low = len(source.weight), round(2 * source.bandwidth)
        self._add(Step("input", "conv", source.size, 0, None, waves, detail=low), _Waves(synthesis))
        for k, layer in enumerate(layers):
            kind = "rgb" if layer.is_torgb else "conv"
            name = f"{layer.size}x{layer.size} " + ("torgb" if layer.is_torgb else f"L{k}")
            styles, detail = layer.weight.shape[1], round(2 * layer.cutoff)
            step = Step(name, kind, layer.size, k + 1, None, layer.channels, styles, detail)
            self._add(step, _AliasFree(synthesis, k))


class _Waves:
    def __init__(self, synthesis: stylegan3.SynthesisNetwork) -> None:
        self.input = synthesis.input

    def sources(self) -> list[int]:
        return []

    def styles(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :0]

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        _keep(self.input(given.ws[:, 0], given.transform), store, i)


class _AliasFree:
    def __init__(self, synthesis: stylegan3.SynthesisNetwork, index: int) -> None:
        self.layer, self.row, self.scale = synthesis.layers()[index], index + 1, synthesis.output_scale
        weight = self.layer.normalized()
        self.prepared = stylegan3.Prepared(weight.square().sum((2, 3)), full(weight))

    def sources(self) -> list[int]:
        return [self.row - 1]

    def styles(self, ws: Tensor) -> Tensor:
        return self.layer.affine(ws[:, self.row])

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        x, w, layer = _features(store, i - 1), given.ws[:, self.row], self.layer
        if layer.is_torgb:
            made = layer(x, w, given.offset(i))
            store.plain(i, *made.shape[:3]).copy_(made * self.scale)
            return
        room = store.padded(i, len(w), layer.channels, layer.size)[:, :, 1:-1, 1:-1]
        made = layer(x, w, given.offset(i), self.prepared, room)
        if made.data_ptr() != room.data_ptr():  # of a layer without filters
            room.copy_(made)


class BigGanEngine(Steps[Maker]):
    """SAGAN, BigGAN, BigGAN-deep, and DCGAN with the class in its norms.

    They can be entered at every block, which reads a row of ws; they take no noise.
    """

    no_styles = "this model has no style space: its rows of ws go into batch normalisation as they are"

    def __init__(
        self,
        synthesis: biggan.SynthesisNetwork | biggan_deep.SynthesisNetwork | dcgan_norm.SynthesisNetwork,
        precision: str = "fp32",
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(synthesis.num_ws, device)
        for k, (side, channels) in enumerate(zip([4, *synthesis.resolutions], synthesis.channels)):
            step = Step(f"{side}x{side} block", "conv", side, k, None, channels)
            self._add(step, _RowStage(synthesis, k))
        step = Step(f"{side}x{side} torgb", "rgb", side, None, None, synthesis.img_channels)
        self._add(step, _Rgb(synthesis.torgb, k))


class LevelsEngine(Steps[Maker]):
    """LAPGAN, StackGAN, Stacked GAN. They can be entered at every level, which reads a row of ws. No noise."""

    no_styles = "this model has no style space: its levels take no styles, each reads its part of w as it is"

    def __init__(self, synthesis: Levels, precision: str = "fp32", device: torch.device | str = "cpu") -> None:
        super().__init__(synthesis.num_ws, device)
        for k, (side, channels) in enumerate(zip(synthesis.sides, synthesis.channels)):
            self._add(Step(f"{side}x{side} level", "conv", side, k, None, channels), _RowStage(synthesis, k))
        step = Step(f"{side}x{side} torgb", "rgb", side, None, None, synthesis.img_channels)
        self._add(step, _Rgb(synthesis.torgb, k))


Rowed = Levels | biggan.RowedSynthesis | vitgan.SynthesisNetwork  # stages that read rows of ws


class _RowStage:
    def __init__(self, synthesis: Rowed, index: int) -> None:
        self.synthesis, self.index = synthesis, index

    def sources(self) -> list[int]:
        return [self.index - 1] if self.index else []

    def styles(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :0]

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        x = _features(store, i - 1) if i else None
        _keep(self.synthesis.stage(self.index, x, given.ws[:, self.index]), store, i)


class VitGanEngine(Steps[Maker]):
    """ViTGAN. It can be entered at every block and at the patches' drawing, each of which reads a row of ws."""

    no_styles = "this model has no style space: its rows of ws go into layer norms as they are"

    def __init__(
        self, synthesis: vitgan.SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(synthesis.num_ws, device)
        side, last = synthesis.side, len(synthesis.blocks)
        for k in range(last):
            self._add(Step(f"{side}x{side} block{k}", "conv", side, k, None, synthesis.width), _RowStage(synthesis, k))
        side = synthesis.img_resolution
        self._add(Step(f"{side}x{side} torgb", "rgb", side, last, None, synthesis.img_channels), _Patches(synthesis))


class _Patches:
    def __init__(self, synthesis: vitgan.SynthesisNetwork) -> None:
        self.synthesis, self.row = synthesis, len(synthesis.blocks)

    def sources(self) -> list[int]:
        return [self.row - 1]

    def styles(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :0]

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        image = self.synthesis.torgb(_features(store, i - 1), given.ws[:, self.row])
        store.plain(i, *image.shape[:3]).copy_(image)


class StagedEngine(Steps[Maker]):
    """Generators without styles: w enters at 4 x 4 alone, so every change of it starts there. They take no noise."""

    no_styles = "this model has no style space: its layers take no styles, w enters at 4 x 4 alone"

    def __init__(self, synthesis: StagedSynthesis, precision: str = "fp32", device: torch.device | str = "cpu") -> None:
        super().__init__(1, device)
        for k, (side, channels) in enumerate(zip(synthesis.resolutions, synthesis.channels)):
            step = Step(f"{side}x{side} block", "conv", side, None if k else 0, None, channels)
            self._add(step, _Stage(synthesis.stages[k], k))
        channels = synthesis.img_channels
        self._add(Step(f"{side}x{side} torgb", "rgb", side, None, None, channels), _Rgb(synthesis.torgb, k))


class LaterEngine(StagedEngine):
    """TransGAN and BEGAN, which begin at 8 x 8."""

    no_styles = "this model has no style space: its layers take no styles, w enters at 8 x 8 alone"


class ProGanEngine(Steps[Maker]):
    """ProGAN, as far as it has grown; its colours may be faded from two stages."""

    no_styles = StagedEngine.no_styles

    def __init__(
        self, synthesis: progan.SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(1, device)
        top, _ = synthesis.fading
        for k, (side, channels) in enumerate(zip(synthesis.resolutions[: top + 1], synthesis.channels)):
            step = Step(f"{side}x{side} block", "conv", side, None if k else 0, None, channels)
            self._add(step, _Stage(synthesis.stages[k], k))
        side, channels = synthesis.img_resolution, synthesis.img_channels
        self._add(Step(f"{side}x{side} torgb", "rgb", side, None, None, channels), _Faded(synthesis, top))


class _Faded:
    def __init__(self, synthesis: progan.SynthesisNetwork, top: int) -> None:
        self.synthesis, self.top = synthesis, top

    def sources(self) -> list[int]:
        return [max(0, self.top - 1), self.top]

    def styles(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :0]

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        before, last = (_features(store, k) for k in self.sources())
        image = self.synthesis.picture(before, last)
        store.plain(i, *image.shape[:3]).copy_(image)


class _Stage:
    def __init__(self, stage: nn.Module, index: int) -> None:
        self.stage, self.index = stage, index

    def sources(self) -> list[int]:
        return [self.index - 1] if self.index else []

    def styles(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :0]

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        _keep(self.stage(_features(store, i - 1) if i else given.ws[:, 0, :, None, None]), store, i)


class _Rgb:
    def __init__(self, torgb: Callable[[Tensor], Tensor], source: int) -> None:
        self.torgb, self.source = torgb, source

    def sources(self) -> list[int]:
        return [self.source]

    def styles(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :0]

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        image = self.torgb(_features(store, self.source))
        store.plain(i, *image.shape[:3]).copy_(image)


def _features(store: Store, step: int) -> Tensor:
    """What a step made, without the border that a store gives it."""
    return store.get(step)[:, :, 1:-1, 1:-1]


def _keep(made: Tensor, store: Store, step: int) -> None:
    store.padded(step, *made.shape[:3])[:, :, 1:-1, 1:-1] = made
