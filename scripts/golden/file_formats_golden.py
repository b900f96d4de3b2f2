"""Makes test/golden/file-formats: files of PyTorch and NumPy, and what they hold, for the tests of src/formats.

Run from the repository root:  python scripts/golden/file_formats_golden.py
Needs torch and numpy. Writes
  torch/*.pt          the same values saved in every layout that torch.save knows; script.pt and module.pt are to be refused
  torch/tensors.json  shape, type and numbers of the tensors in them
  numpy/*.npz         arrays of every type, in both byte orders and both orders of axes, stored and deflated
  numpy/arrays.json   shape, type and numbers of those arrays
  numpy/refused-*.npy arrays that need more than numbers
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch

warnings.filterwarnings("ignore")
root = Path("test/golden/file-formats")
names = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


def described(array) -> dict:
    """Numbers as texts: JSON has no integers of 64 bits."""
    numbers = array.float() if array.dtype == torch.bfloat16 else array
    dtype = names[str(array.dtype).removeprefix("torch.")]
    return {"shape": list(array.shape), "dtype": dtype, "data": [str(n) for n in numbers.flatten().tolist()]}


def tensors() -> dict:
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    numbers = torch.tensor([1.5, -2.25, 65504.0, 0.1, -0.0])
    types = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
    whole = torch.tensor([-3, 0, 100])
    result = {str(t).removeprefix("torch."): (numbers if t.is_floating_point else whole).to(t) for t in types}
    result |= {
        "large": torch.tensor([-(2**40), 2**53 + 1]),
        "uint8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "uint16": torch.tensor([0, 65535], dtype=torch.uint16),
        "scalar": torch.tensor(3.25),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "whole": base,
        "same": base,
        "transposed": base.transpose(0, 2),
        "part": base[1],
        "offset": base.flatten()[5:9],
        "every_second": base[:, ::2, 1:3],
        "expanded": torch.tensor([7.0]).expand(3, 2),
    }
    return result


def save_torch(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    module = torch.nn.Linear(3, 2)
    value = {
        "tensors": tensors(),
        "state_dict": module.state_dict(),
        "values": [None, True, -5, 300, 70000, 2**70, 1.25, "hällo", b"\x00\xff", (1, (2, [3])), {4}],
        "names": [torch.Size([1, 2]), torch.device("cpu"), torch.device("cuda", 1), torch.float32],
        "numpy": [np.float64(1.5), np.float32(0.5), np.int64(-3), np.bool_(True)],
        1: "keys may be numbers",
    }
    torch.save(value, directory / "protocol-2.pt")
    for protocol in (3, 4, 5):
        torch.save(value, directory / f"protocol-{protocol}.pt", pickle_protocol=protocol)
    torch.save(value, directory / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(value, directory / "no-crc.pt")
    torch.serialization.set_crc32_options(True)
    torch.save(module, directory / "module.pt")
    torch.jit.save(torch.jit.script(module), directory / "script.pt")
    everything = value["tensors"] | {f"state_dict.{k}": v for k, v in value["state_dict"].items()}
    write_json(directory / "tensors.json", {k: described(v.detach()) for k, v in everything.items()})


def arrays() -> dict:
    result = {}
    for name in names:
        if name != "bfloat16":
            result[name] = np.array([[0, 1, 2], [3, 100, 5]]).astype(name)
            result[f"{name}_big"] = result[name].astype(result[name].dtype.newbyteorder(">"))
    result |= {
        "fortran": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)),
        "fortran_big": np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "noise": np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32),
        "zeros": np.zeros((64, 64), dtype=np.float32),
        "folder/name": np.array([1.0, 2.0, 3.0]),
    }
    return result


def save_numpy(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    np.savez(directory / "stored.npz", **arrays())
    np.savez_compressed(directory / "deflated.npz", **arrays())
    with open(directory / "version-3.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(3.0), version=(3, 0))
    with open(directory / "version-2.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(3.0), version=(2, 0))
    np.save(directory / "refused-object.npy", np.array([{"a": 1}], dtype=object))
    np.save(directory / "refused-text.npy", np.array(["a"]))
    np.save(directory / "refused-complex.npy", np.array([1j]))
    np.save(directory / "refused-structure.npy", np.zeros(1, dtype=[("a", "f4"), ("b", "i4")]))
    described_arrays = {
        k: {"shape": list(v.shape), "dtype": names[v.dtype.newbyteorder("=").name], "data": [str(n) for n in v.flatten().tolist()]}
        for k, v in arrays().items()
        if k not in ("noise", "zeros")
    }
    write_json(directory / "arrays.json", described_arrays)


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


save_torch(root / "torch")
save_numpy(root / "numpy")
