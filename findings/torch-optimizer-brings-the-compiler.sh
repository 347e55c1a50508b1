#!/usr/bin/env bash
# The first optimizer, the first sum on the device meta and the first autograd.grad with grad_outputs each import a part of
# torch that nobody called: its compiler (900 modules, nearly the seconds that torch itself takes) or SymPy.
# Versions: Python 3.11, PyTorch 2.15.0, NumPy 2.4.6
#
# Nothing is compiled in any of these programs. Optimizer.add_param_group, which every constructor calls, is wrapped in a
# function that keeps the compiler from looking into it, and imports torch._dynamo to say so; torch.ones(...) * 2 on the
# device meta goes through wrappers of the same kind. autograd.grad, given cotangents, compares their shape with a
# function of the symbolic shapes, which comes with SymPy; without cotangents it does not. It is once a process: short
# commands, tests in processes of their own and workers that are started anew for each job pay it every time.
# What does without: (value * cotangent).sum() in the place of grad_outputs gives the same derivatives to the bit.
#
# Seen on 2026-12-01:
#     import torch alone                  : torch._dynamo no, SymPy no
#     a step of gradient descent by hand  : torch._dynamo no, SymPy no
#     the same by torch.optim.SGD         : torch._dynamo yes, SymPy yes
#     torch.ones(2, device="meta") * 2    : torch._dynamo yes, SymPy yes
#     autograd.grad of a sum              : torch._dynamo no, SymPy no
#     autograd.grad with a cotangent      : torch._dynamo no, SymPy yes
#     torch.func.vjp, called              : torch._dynamo yes, SymPy yes
# and of seconds, on an AMD EPYC of family 23: import torch 2.9, torch.optim.SGD(...) 2.3, the second one 0.0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

cat >case.py <<'PY'
import sys

import torch

x = torch.nn.Parameter(torch.ones(3))


def by_hand():
    (g,) = torch.autograd.grad((x * x).sum(), x)
    with torch.no_grad():
        x.sub_(0.1 * g)


cases = {
    "import torch alone": lambda: None,
    "a step of gradient descent by hand": by_hand,
    "the same by torch.optim.SGD": lambda: torch.optim.SGD([x], lr=0.1),
    'torch.ones(2, device="meta") * 2': lambda: torch.ones(2, device="meta") * 2,
    "autograd.grad of a sum": lambda: torch.autograd.grad((x * x).sum(), x),
    "autograd.grad with a cotangent": lambda: torch.autograd.grad(x * x, x, torch.ones(3)),
    "torch.func.vjp, called": lambda: torch.func.vjp(torch.sin, torch.ones(3))[1](torch.ones(3)),
}
if len(sys.argv) == 1:
    print(*cases, sep="\n")
else:
    cases[sys.argv[1]]()
    there = ["yes" if name in sys.modules else "no" for name in ("torch._dynamo", "sympy")]
    print(f"{sys.argv[1]:36}: torch._dynamo {there[0]}, SymPy {there[1]}")
PY
env/bin/python -W ignore case.py >names
while read -r name; do env/bin/python -W ignore case.py "$name"; done <names | tee seen
diff seen - <<'EXPECTED'
import torch alone                  : torch._dynamo no, SymPy no
a step of gradient descent by hand  : torch._dynamo no, SymPy no
the same by torch.optim.SGD         : torch._dynamo yes, SymPy yes
torch.ones(2, device="meta") * 2    : torch._dynamo yes, SymPy yes
autograd.grad of a sum              : torch._dynamo no, SymPy no
autograd.grad with a cotangent      : torch._dynamo no, SymPy yes
torch.func.vjp, called              : torch._dynamo yes, SymPy yes
EXPECTED
