"""A pretended GPU: tensors that report `cuda:0`, compute on the CPU, and refuse whatever a GPU refuses.

    with pretended():
        real = prepare(dataset, MeanStd(), torch.device("cuda"))

Code that forgets `device=`, asks a GPU's tensor for `.numpy()`, or draws on the GPU from a generator of the CPU fails
there as it would on a GPU, with the words of torch. Numbers are the CPU's own, bit for bit. Nothing is said of a GPU's
own rounding, of its memory, of kernels that run beside each other, or of compiled programs.

To C++ the device is called `lazy:0`, a backend that nothing else uses: of `cuda` itself the autograd engine of a build
with CUDA asks the driver for a context. A mode translates the name both ways wherever Python says or hears it.

Where torch's rule for an operation is not known to permit a tensor of the CPU, it is refused: a `.to(device)` too many
does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any, Final, Never
from weakref import WeakValueDictionary

import pytest
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

NAME: Final = "Pretended GPU"
MEMORY: Final = 8 << 30
"""Bytes that the device says it has."""

_CPU, _CUDA, _INSIDE = torch.device("cpu"), torch.device("cuda:0"), torch.device("lazy:0")

SCALARS: Final = {
    *("add", "sub", "rsub", "mul", "div", "remainder", "fmod", "floor_divide", "pow", "atan2", "hypot", "copysign"),
    *("maximum", "minimum", "fmax", "fmin", "eq", "ne", "lt", "le", "gt", "ge", "xlogy", "where", "masked_fill"),
    *("logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "index_fill"),
}
"""Operations whose inputs may be a GPU's and one without dimensions of the CPU, see TensorIterator.cpp
(`allow_cpu_scalars_`, one of them at most), and for the last ones TensorCompare.cpp and Indexing.cu."""

PRODUCTS: Final = {"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "vdot"}
"""Operations that a GPU has for no integers: "addmm_cuda" not implemented for 'Long'."""

_INDEXED: Final = {"index", "index_put", "_index_put_impl", "_unsafe_index", "_unsafe_index_put"}
_COPIES: Final = {"copy", "_to_copy"}


class Pretended(Tensor):
    """A tensor of the pretended GPU: its numbers are `held` by one of the CPU."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls: type[Pretended], held: Tensor) -> Pretended:
        made: Pretended = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=_INSIDE,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: OpOverload, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _computed(function, args, kwargs or {})

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy."
            " Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array__(self, dtype: object = None) -> Never:
        self.numpy()
        raise AssertionError

    def untyped_storage(self) -> Any:
        """Where safetensors sees which tensors share memory, before it copies each to the CPU."""
        return self.held.untyped_storage()

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def __format__(self, spec: str) -> str:
        return format(self.held, spec) if self.dim() == 0 else repr(self)

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{self.held!r} on {_CUDA}"


class Drawing(torch.Generator):
    """A generator of numbers, of the CPU or of the pretended GPU."""

    on: torch.device

    def __new__(cls, device: torch.device | str = "cpu") -> Drawing:
        made: Drawing = super().__new__(cls)
        made.on = torch.device(device)
        _DRAWING[_identity(made)] = made  # an operation is given another object for the same generator
        return made

    def __init__(self, device: torch.device | str = "cpu") -> None:
        pass

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return _CUDA if self.on.type == "cuda" else _CPU


_DRAWING: Final = WeakValueDictionary[int, Drawing]()


def _identity(generator: Any) -> int:
    found: int = generator._cdata
    return found


class _Names(TorchFunctionMode):
    """Says `lazy:0` to C++ where Python says `cuda`, and `cuda:0` to Python where C++ says `lazy:0`."""

    def __torch_function__(
        self, function: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if function == Tensor.is_cuda.__get__:  # type: ignore[attr-defined]
            return _there(args[0])
        if function is Tensor.cuda:
            function, args = Tensor.to, (args[0], _INSIDE)
        result = function(*map(_inwards, args), **{name: _inwards(value) for name, value in (kwargs or {}).items()})
        return _CUDA if isinstance(result, torch.device) and result == _INSIDE else result


class _Operations(TorchDispatchMode):
    """Sees every operation: those of the CPU, too, that make a tensor of the device or meet one."""

    def __torch_dispatch__(
        self, function: OpOverload, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _computed(function, args, kwargs or {})


@contextmanager
def pretended() -> Iterator[torch.device]:
    """The device, while it is there."""
    properties = SimpleNamespace(name=NAME, total_memory=MEMORY, major=9, minor=0, multi_processor_count=1)
    answers: dict[str, Callable[..., object]] = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda *_, **__: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_name": lambda device=None: NAME,
        "get_device_capability": lambda device=None: (9, 0),
        "get_device_properties": lambda device=None: properties,
        "mem_get_info": lambda device=None: (MEMORY // 2, MEMORY),
        "memory_allocated": lambda device=None: 1 << 20,
        "max_memory_allocated": lambda device=None: 1 << 20,
        "reset_peak_memory_stats": lambda device=None: None,
        "empty_cache": lambda: None,
        "synchronize": lambda device=None: None,
        "_lazy_init": lambda: None,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, answer in answers.items():
            patch.setattr(torch.cuda, name, answer)
        patch.setattr(torch, "Generator", Drawing)
        before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor makes its numbers on the CPU, and lets them be moved
        try:
            with _Names(), _Operations():  # type: ignore[no-untyped-call]
                yield torch.device("cuda")
        finally:
            torch._C._set_only_lift_cpu_tensors(before)


def _there(value: object) -> bool:
    return isinstance(value, Tensor) and Tensor.device.__get__(value).type in ("lazy", "cuda")


def _inwards(value: Any) -> Any:
    if isinstance(value, str) and value.partition(":")[0] == "cuda":
        value = torch.device(value)
    if isinstance(value, torch.device) and value.type == "cuda":
        if value.index:
            raise RuntimeError("CUDA error: invalid device ordinal")
        return _INSIDE
    return value


def _computed(function: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The result of an operation, on the device that torch would have it on."""
    tensors, asked, generator = list(_tensors((args, *kwargs.values()))), kwargs.get("device"), kwargs.get("generator")
    met = any(isinstance(tensor, Pretended) for tensor in tensors)
    here = not (met if asked is None else asked.type in ("lazy", "cuda"))  # where the result is
    if generator is not None:
        drawing, wanted = _DRAWING.get(generator._cdata, generator).device.type, "cpu" if here else "cuda"
        if drawing != wanted:
            raise RuntimeError(f"Expected a '{wanted}' device type for generator but found '{drawing}'")
    if "pin_memory" in kwargs:  # for which a driver would be asked
        kwargs = {name: value for name, value in kwargs.items() if name != "pin_memory"}
    if function.namespace == "aten" and _base(function) in ("_pin_memory", "is_pinned"):
        return _pinned(function, met, args)
    if not met and here:
        return function(*args, **kwargs)
    if met:
        _check(function, args, tensors)
    given: dict[str, Any] = {name: _outwards(value) for name, value in kwargs.items()}
    result = function(*map(_outwards, args), **given)
    if (written := _written(function)) is not None:
        place, name = written
        return args[place] if place < len(args) else kwargs[name]
    return result if here and asked is not None else _wrapped(result)


def _outwards(value: Any) -> Any:
    """An argument, as the CPU is given it."""
    if isinstance(value, Pretended):
        return value.held
    if isinstance(value, list | tuple):
        return type(value)(map(_outwards, value))
    return _CPU if isinstance(value, torch.device) and value.type in ("lazy", "cuda") else value


def _wrapped(value: Any) -> Any:
    if isinstance(value, Tensor):
        return Pretended(value)
    return type(value)(map(_wrapped, value)) if isinstance(value, list | tuple) else value


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _pinned(function: OpOverload, met: bool, args: Sequence[Any]) -> Any:
    """Pinned memory is the CPU's; of the device nothing can be pinned."""
    if _base(function) == "is_pinned":
        return False
    if met:
        raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be pinned")
    return args[0].clone()


def _check(function: OpOverload, args: Sequence[Any], tensors: Sequence[Tensor]) -> None:
    """Raise what torch would where the tensors may not meet on a GPU, or it does not know the operation."""
    name = _base(function)
    if not _known(str(function).removeprefix("aten.")):
        raise NotImplementedError(f"Could not run 'aten::{name}' with arguments from the 'CUDA' backend.")
    if name in PRODUCTS and not any(t.is_floating_point() or t.is_complex() for t in tensors):
        raise RuntimeError(f"\"{name}_cuda\" not implemented for '{tensors[0].dtype}'")
    if name in _COPIES:
        return
    if name in _INDEXED:
        # x[index]: a GPU's may be indexed by the CPU's, not the other way around; what is put may be a number
        if not isinstance(args[0], Pretended):
            raise RuntimeError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
                if any(isinstance(tensor, Pretended) for tensor in _tensors(args[1]))
                else _mixed(name)
            )
        strangers = [t for t in _tensors(args[2:3]) if not isinstance(t, Pretended) and t.dim()]
    else:
        strangers = [t for t in tensors if not isinstance(t, Pretended)]
        inplace = _written(function) is not None and not isinstance(args[0], Pretended)
        if name in SCALARS and not inplace and len(strangers) < 2 and not any(t.dim() for t in strangers):
            return
    if strangers:
        raise RuntimeError(_mixed(name))


def _mixed(name: str) -> str:
    return (
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
        f" (in method wrapper_CUDA_{name})"
    )


@cache
def _base(function: OpOverload) -> str:
    """The name of an operation, whether it works in place or not."""
    name = function._schema.name.partition("::")[2]
    return name.rstrip("_") if function._schema.is_mutable else name


@cache
def _written(function: OpOverload) -> tuple[int, str] | None:
    """The place and name of the argument that an operation writes into and returns; None where it makes its result."""
    if not function._schema.is_mutable or not function._schema.returns:
        return None
    for place, argument in enumerate(function._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            return place, argument.name
    return None


@cache
def table() -> Mapping[str, str]:
    """Torch's own table of operations by their full names, as it comes with torch: an operation's entry, as text."""
    text = files("torchgen").joinpath("packaged/ATen/native/native_functions.yaml").read_text("utf-8")
    return {entry.partition("(")[0]: entry for entry in re.split(r"^- func: ", text, flags=re.MULTILINE)[1:]}


@cache
def _known(name: str) -> bool:
    """Whether a GPU has the operation: one that the table has for the CPU alone stops there."""
    entry = table().get(name.removesuffix(".default"), "")
    if "structured_delegate" in entry:
        return True
    kernels = re.findall(r"^    ([A-Za-z, ]+): \S+", entry.partition("dispatch:")[2], flags=re.MULTILINE)
    backends = {backend.strip() for line in kernels for backend in line.split(",")}
    return not backends or any("CUDA" in backend or "Composite" in backend for backend in backends)
