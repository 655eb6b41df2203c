# SPDX-License-Identifier: Apache-2.0
"""Translates the PTX inside CUDA objects into C++ that runs on a CPU, on top of sim.hpp.

    python3 tests/ptx/translate.py OBJECT... -o OUT.cpp

Every kernel becomes a function of one thread; its registers become local variables that hold their bits. Whatever threads do
together (votes, shuffles, barriers) is a call of sim.cpp. What is not known here is an error; nothing but .pragma, prefetch
and fences is passed over.
"""

from __future__ import annotations

import argparse
import bisect
import re
import sys
from pathlib import Path

SPECIAL = {f"%{name}.{'xyz'[i]}": f"t.{name}[{i}]" for name in ("tid", "ntid", "ctaid", "nctaid") for i in range(3)}
SPECIAL |= {"%laneid": "t.lane", "WARP_SZ": "32u", "%lanemask_eq": "(1u << t.lane)", "%lanemask_lt": "((1u << t.lane) - 1)"}
SPECIAL |= {"%lanemask_le": "((2u << t.lane) - 1)", "%lanemask_gt": "~((2u << t.lane) - 1)", "%lanemask_ge": "~((1u << t.lane) - 1)"}

# Instructions of one result: the widths of the result and of the operands. T is the width of the type that the name ends in,
# W twice that, 4 is 32 bits and 1 a predicate. Floats are rounded to nearest or not at all; there is no .ftz and no .approx.
INTEGERS = {
    "TTT": "add sub mul.lo mul.hi min max and or xor",
    "TT": "neg not brev",
    "TTTT": "mad.lo",
    "TT4": "shl shr",
    "WTT": "mul.wide",
    "4T": "popc clz bfind.shiftamt",
    "T44": "bmsk.clamp",
    "TTT1": "selp",
}
FLOATS = {"TTT": "add.rn sub.rn mul.rn div.rn min max", "TTTT": "fma.rn", "TT": "sqrt.rn rcp.rn neg abs", "TTT1": "selp"}
PREDICATES = {"TTT": "and or xor", "TT": "not"}
SIGNATURES = {
    kind: {name: widths for widths, names in table.items() for name in names.split()}
    for kind, table in (("int", INTEGERS), ("float", FLOATS), ("pred", PREDICATES))
}
COMPARISONS = {
    "int": "eq ne lt le gt ge".split(),
    "float": "eq ne lt le gt ge equ neu ltu leu gtu geu num nan".split(),
}
# The same in C++, and compiled faster than a call: most instructions compute addresses.
SIGNS = {"add": " + ", "sub": " - ", "mul_lo": " * ", "and": " & ", "or": " | ", "xor": " ^ "}
SPACES = ("global", "shared", "local", "param")
# Statements, labels, and braces of a scope, of a body without comments.
TOKEN = re.compile(r"[$\w]+:|[^\s;{}](?:[^;{}]|\{[^;{}]*\})*;|[{}]")


class Unknown(Exception):
    pass


def split(text: str) -> list[str]:
    """By the commas outside of braces, brackets and parentheses."""
    return [part.strip() for part in re.findall(r"(?:\{[^}]*\}|\[[^]]*\]|\([^)]*\)|[^,])+", text)]


def width(kind: str) -> int:
    return 1 if kind == "pred" else int(kind[1:])


def cpp(kind: str) -> str:
    return "bool" if kind == "pred" else f"u{kind[1:]}" if kind[0] == "b" else kind


def identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def place(at: dict[str, int], end: int, name: str, align: int, size: int) -> int:
    """Lays a variable out behind the others; the new end."""
    at[name] = (end + align - 1) // align * align
    return at[name] + size


class Kernel:
    def __init__(self, module: Module, name: str, params: str, body: str, line_of) -> None:
        self.module, self.name = module, name
        self.symbol = f"kernel_{len(module.kernels)}"
        self.param: dict[str, int] = {}
        self.param_sizes: list[tuple[int, int]] = []
        self.local: dict[str, int] = {}
        self.shared: dict[str, int] = {}
        self.param_bytes = self.local_bytes = self.shared_bytes = 0
        self.scopes: list[dict[str, str]] = [{}]
        self.scope_count = 0
        self.width: dict[str, int] = {}  # of C++ variables
        self.used: set[str] = set()
        self.out: list[str] = []
        self.uncounted = 0
        for param in split(params):
            match = re.fullmatch(r"\.param (?:\.align (\d+) )?\.\w(\d+) ([\w$]+)(?:\[(\d+)\])?", " ".join(param.split()))
            if not match:
                raise Unknown(f"parameter {param}")
            align, bits, of, count = match.groups()
            size = int(bits) // 8 * int(count or 1)
            self.param_bytes = place(self.param, self.param_bytes, of, int(align or size), size)
            self.param_sizes.append((self.param[of], size))
        for of, (align, size) in module.shared.items():
            if re.search(re.escape(of) + r"\b", body):
                self.shared_bytes = place(self.shared, self.shared_bytes, of, align, size)
        for token in TOKEN.finditer(body):
            self.line = line_of(token.start())
            try:
                self.statement(" ".join(token[0].split()))
            except (Unknown, KeyError, ValueError, TypeError, IndexError) as error:
                raise Unknown(f"line {self.line}: {token[0].strip()}: {type(error).__name__} {error}") from error

    # ---- Operands ----

    def register(self, name: str) -> str | None:
        for scope in reversed(self.scopes):
            if name in scope:
                self.used.add(scope[name])
                return scope[name]
        return None

    def value(self, operand: str, bits: int) -> str:
        """An expression of unsigned `bits` bits, or a bool where that is 1."""
        if operand.startswith("!"):
            return f"!{self.value(operand[1:], 1)}"
        if register := self.register(operand):
            return register if self.width[register] == bits else f"u{bits}({register})"
        if operand in SPECIAL:
            return f"u{bits}({SPECIAL[operand]})"
        if match := re.fullmatch(r"0[fFdD]([0-9a-fA-F]{8}|[0-9a-fA-F]{16})", operand):
            return f"u{bits}(0x{match[1]}ull)"
        if re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|\d+)U?", operand):
            number = int(operand.rstrip("U"), 0)
            return str(number != 0).lower() if bits == 1 else f"u{bits}({number & ((1 << bits) - 1)}ull)"
        if operand in self.param:
            return f"u{bits}(reinterpret_cast<u64>(t.param) + {self.param[operand]})"
        if operand in self.shared:
            return f"u{bits}({self.shared[operand]})"
        if operand in self.local:
            return f"u{bits}(reinterpret_cast<u64>(local) + {self.local[operand]})"
        raise Unknown(f"operand {operand}")

    def address(self, operand: str, plus: int = 0) -> str:
        base, offset = re.fullmatch(r"\[ ?([^ +\]]+) ?(?:\+ ?(-?\w+))? ?\]", operand).groups()
        return f"{self.value(base, 64)} + u64({plus + int(offset or '0', 0)}ll)"

    # ---- Statements ----

    def emit(self, text: str) -> None:
        self.out.append(f"  {text}")

    def count(self) -> None:
        if self.uncounted:
            self.emit(f"t.instructions += {self.uncounted};")
        self.uncounted = 0

    def statement(self, text: str) -> None:
        if text == "{":
            self.scope_count += 1
            self.scopes.append({})
        elif text == "}":
            self.scopes.pop()
        elif text.endswith(":"):
            self.count()
            self.out.append(f"{identifier(text[:-1])}:;")
        elif text.startswith(".pragma"):
            pass
        elif match := re.fullmatch(r"\.reg ?\.(\w+) (.*);", text):
            for register in split(match[2]):
                name, number = re.fullmatch(r"([%\w$]+)(?:<(\d+)>)?", register).groups()
                for one in [f"{name}{i}" for i in range(int(number))] if number else [name]:
                    variable = identifier(f"s{self.scope_count if len(self.scopes) > 1 else ''}_{one}")
                    self.scopes[-1][one] = variable
                    self.width[variable] = width(match[1])
        elif match := re.fullmatch(r"\.(local|shared) \.align (\d+) \.b8 ([\w$]+)\[(\d+)\];", text):
            name, align, size = match[3], int(match[2]), int(match[4])
            if match[1] == "local":
                self.local_bytes = place(self.local, self.local_bytes, name, align, size)
            else:
                self.shared_bytes = place(self.shared, self.shared_bytes, name, align, size)
        else:
            negated, guard, name, operands = re.fullmatch(r"(?:@(!?)([%\w]+) )?([\w.:]+) ?(.*);", text).groups()
            self.uncounted += 1
            if name.split(".")[0] in ("bra", "ret", "exit"):
                self.count()
            before = len(self.out)
            self.instruction(name, split(operands))
            if guard:
                done = " ".join(line.strip() for line in self.out[before:])
                self.out[before:] = [f"  if ({negated}{self.value(guard, 1)}) {{ {done} }}"]

    def set(self, to: str, value: str, bits: int) -> None:
        """The value has `bits` bits; the register may be wider, and is then filled with zeros."""
        if to == "_":
            self.emit(f"static_cast<void>({value});")
            return
        register = self.register(to)
        if register is None:
            raise Unknown(f"destination {to}")
        own = self.width[register]
        self.emit(f"{register} = {value};" if own == bits else f"{register} = u{own}({value});")

    def instruction(self, name: str, x: list[str]) -> None:
        op, *mods = name.split(".")
        kind = mods[-1] if mods else ""
        family = {"f": "float", "p": "pred"}.get(kind[:1], "int")
        signature = SIGNATURES[family].get(".".join([op, *mods[:-1]]))
        if signature and re.fullmatch(r"pred|f32|f64|[sub](16|32|64)", kind):
            bits = width(kind)
            widths = [{"T": bits, "W": 2 * bits, "4": 32, "1": 1}[letter] for letter in signature]
            if len(x) != len(widths):
                raise Unknown("number of operands")
            values = [self.value(operand, w) for operand, w in zip(x[1:], widths[1:])]
            function = "_".join([op, *mods[:-1]])
            if family == "int" and bits > 16 and function in SIGNS:
                self.set(x[0], SIGNS[function].join(values), bits)
            else:
                self.set(x[0], f"op_{function}<{cpp(kind)}>({', '.join(values)})", widths[0])
        elif op == "bra":
            self.emit(f"goto {identifier(x[0])};")
        elif op in ("ret", "exit"):
            self.emit("return;")
        elif op in ("membar", "fence", "prefetch"):
            pass
        elif op == "mov":
            self.mov(x, kind)
        elif op == "cvta":
            space = mods[-2]
            if space not in SPACES:
                raise Unknown("space")
            sign = "" if space != "shared" else " - " if mods[0] == "to" else " + "
            self.set(x[0], self.value(x[1], 64) + (sign and f"{sign}reinterpret_cast<u64>(t.shared)"), 64)
        elif op in ("ld", "st"):
            self.memory(op, mods, x)
        elif op in ("atom", "red"):
            self.atomic(mods, x if op == "atom" else ["_", *x])
        elif op in ("add", "addc", "sub", "subc") and mods[:-1] in (["cc"], []) and family == "int":
            bits = width(kind)
            carry = "carry" if op.endswith("c") else "0"
            call = f"{op[:3]}_cc<u{bits}>({self.value(x[1], bits)}, {self.value(x[2], bits)}, {carry}, {self.register(x[0])})"
            self.emit(f"carry = {call};" if "cc" in mods else f"{call};")
        elif op == "setp":
            self.setp(mods, x, family, kind)
        elif op == "cvt":
            self.cvt(mods, x)
        elif op in ("vote", "match", "redux", "shfl") and "sync" in mods:
            how = [m for m in mods if m not in ("sync", kind)]
            if len(how) != 1 or (op != "redux" and kind not in ("b32", "pred")):
                raise Unknown("meeting")
            to = x[0].split("|")
            first = self.value(x[1], 1 if op == "vote" else 32)
            more = [self.value(operand, 32) for operand in x[2:-1]] + ["0", "0"]
            self.meet(f"{op}_{how[0]}", x[-1], [first, *more[:2]])
            if kind == "pred":
                self.set(to[0], "met.flag", 1)
            else:
                self.set(to[0], "met.value", 32)
            if len(to) > 1:
                self.set(to[1], "met.flag", 1)
        elif name == "bar.warp.sync":
            self.meet("warp", x[0], ["0", "0", "0"])
        elif name in ("bar.sync", "barrier.sync", "barrier.sync.aligned", "bar.cta.sync", "barrier.cta.sync") and x == ["0"]:
            self.emit(f"barrier(t, false, {self.line});")
        elif name == "bar.red.or.pred" and len(x) == 3 and x[1] == "0":
            self.set(x[0], f"barrier(t, {self.value(x[2], 1)}, {self.line})", 1)
        else:
            raise Unknown("instruction")

    def mov(self, x: list[str], kind: str) -> None:
        bits = width(kind)
        if x[0].startswith("{"):
            parts = split(x[0][1:-1])
            part = bits // len(parts)
            for i, to in enumerate(parts):
                self.set(to, f"u{part}({self.value(x[1], bits)} >> {i * part})", part)
        elif x[1].startswith("{"):
            parts = split(x[1][1:-1])
            part = bits // len(parts)
            values = [f"u{bits}(u{bits}({self.value(of, part)}) << {i * part})" for i, of in enumerate(parts)]
            self.set(x[0], " | ".join(values), bits)
        else:
            self.set(x[0], self.value(x[1], bits), bits)

    def setp(self, mods: list[str], x: list[str], family: str, kind: str) -> None:
        compare, *join = mods[:-1]
        if compare not in COMPARISONS[family] or len(join) > 1:
            raise Unknown("comparison")
        bits = width(kind)
        test = f"op_{compare}<{cpp(kind)}>({self.value(x[1], bits)}, {self.value(x[2], bits)})"
        to = x[0].split("|")
        self.emit(f"{{ const bool test = {test};")
        other = f" {({'and': '&', 'or': '|', 'xor': '^'})[join[0]]} {self.value(x[3], 1)}" if join else ""
        self.emit(f"const bool yes = test{other}, no = !test{other}; static_cast<void>(no);")
        self.set(to[0], "yes", 1)
        if len(to) > 1:
            self.set(to[1], "no", 1)
        self.emit("}")

    def cvt(self, mods: list[str], x: list[str]) -> None:
        *how, to, of = mods
        whole = to[0] in "sub" and of[0] in "sub"
        own = self.width[self.register(x[0])]
        value = self.value(x[1], width(of))
        if how == ["rni"] and to[0] != "f":
            value, how = f"op_rni<{cpp(of)}>({value})", ["rzi"]
        if how != ([] if whole or (to, of) == ("f64", "f32") else ["rn"] if to[0] == "f" else ["rzi"]):
            raise Unknown("rounding")
        if whole:  # a wider register is filled with the sign of a signed type
            self.set(x[0], f"u{max(own, width(to))}({cpp(to)}({cpp(of)}({value})))", max(own, width(to)))
        else:
            self.set(x[0], f"op_cvt<{cpp(to)}, {cpp(of)}>({value})", width(to))

    def memory(self, op: str, mods: list[str], x: list[str]) -> None:
        (space,) = [m for m in mods if m in SPACES]
        vector = next((m for m in mods if re.fullmatch("v[248]", m)), "v1")
        kind, count = mods[-1], int(vector[1:])
        ordering = {"nc", "volatile", "relaxed", "acquire", "release", "gpu", "cta", "sys", "weak"}
        if set(mods) - {space, vector, kind} - ordering:
            raise Unknown("modifier")
        bits = width(kind)
        data, at = x if op == "ld" else x[::-1]
        parts = split(data[1:-1]) if data.startswith("{") else [data]
        where = f"k{space.capitalize()}"
        if len(parts) != count or (op == "ld" and count > 1 and any(re.search(re.escape(p) + r"\b", at) for p in parts)):
            raise Unknown("vector")
        if count > 1:
            self.emit(f"aligned(t, {self.address(at)}, {bits // 8 * count}, {self.line});")
        for i, part in enumerate(parts):
            address = self.address(at, i * bits // 8)
            if op == "st":
                self.emit(f"store<u{bits}, {where}>(t, {address}, {self.value(part, bits)}, {self.line});")
                continue
            own = self.width[self.register(part)]
            value = f"load<u{bits}, {where}>(t, {address}, {self.line})"
            self.set(part, f"u{own}({cpp(kind)}({value}))" if own > bits else value, max(own, bits))

    def atomic(self, mods: list[str], x: list[str]) -> None:
        (space,) = [m for m in mods if m in ("global", "shared")]
        kind = mods[-1]
        (how,) = [m for m in mods[:-1] if m not in (space, "relaxed", "gpu", "cta")]
        if how not in ("add", "or", "and", "min", "max", "exch") or kind[0] == "f":
            raise Unknown("atomic")
        bits = width(kind)
        (operand,) = x[2:]
        call = f"atomic<{cpp(kind)}, k{space.capitalize()}, Atomic::k{how.capitalize()}>"
        self.set(x[0], f"{call}(t, {self.address(x[1])}, {self.value(operand, bits)}, {self.line})", bits)

    def meet(self, how: str, mask: str, operands: list[str]) -> None:
        self.emit(f"met = meet(t, How::k_{how}, {self.value(mask, 32)}, {', '.join(operands)}, {self.line});")

    def text(self) -> list[str]:
        lines = [f"void {self.symbol}(Thread& t) {{", "  u32 carry = 0; Met met{}; static_cast<void>(carry), static_cast<void>(met);"]
        if self.local_bytes:
            lines.append(f"  alignas(16) u8 local[{self.local_bytes}]; std::memset(local, 0xcd, sizeof local);")
        for variable in sorted(self.used):
            bits = self.width[variable]
            lines.append(f"  bool {variable} = false;" if bits == 1 else f"  u{bits} {variable} = u{bits}(kRegister);")
        return [*lines, *self.out, "}"]


class Module:
    """The PTX of one object."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"//[^\n]*", "", text)
        starts = [match.end() for match in re.finditer("\n", text)]
        self.shared: dict[str, tuple[int, int]] = {}
        self.kernels: list[Kernel] = []
        bodies, outside, at = [], "", 0
        entry = re.compile(r"(?:\.visible\s+|\.weak\s+)*\.entry\s+([\w$]+)\s*\(([^)]*)\)[^{;]*\{")
        while match := entry.search(text, at):
            outside += text[at : match.start()]
            depth = 1
            for brace in re.finditer("[{}]", text[match.end() :]):
                depth += 1 if brace[0] == "{" else -1
                if depth == 0:
                    break
            at = match.end() + brace.end()
            bodies.append((match[1], match[2], match.end(), at - 1))
        self.variables(outside + text[at:])
        for name, params, first, last in bodies:
            self.kernels.append(
                Kernel(self, name, params, text[first:last], lambda i, f=first: bisect.bisect_right(starts, f + i) + 1)
            )

    def variables(self, text: str) -> None:
        """Shared ones. Those of device memory have no place here: a kernel that uses one names an unknown operand."""
        text = re.sub(r"\.version [\d.]+|\.target [\w, ]+|\.address_size 64", "", text)
        for variable in filter(None, (" ".join(part.split()) for part in text.split(";"))):
            match = re.fullmatch(
                r"(?:\.visible |\.weak )*\.(?:(shared)|global|const) \.align (\d+) \.b8 ([\w$]+)\[(\d+)\](?: ?= ?\{.*\})?", variable
            )
            if not match:
                raise Unknown(f"outside of kernels: {variable[:120]}")
            if match[1]:
                self.shared[match[3]] = (int(match[2]), int(match[4]))

    def texts(self) -> list[str]:
        out = []
        for kernel in self.kernels:
            params = ", ".join(f"{{{offset}, {size}}}" for offset, size in kernel.param_sizes)
            out += [f"// {kernel.name}", *kernel.text()]
            out.append(
                f'const RegisterKernel r_{kernel.symbol}({{"{kernel.name}", {kernel.symbol}, {{{params}}}, '
                f"{kernel.param_bytes}, {kernel.shared_bytes}}});"
            )
        return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("-o", dest="out", type=Path, required=True)
    args = parser.parse_args()
    # Plain text in the object, because it was compiled with --no-compress.
    found = re.findall(rb"\.version \d[^\0]*?\.target sm_(\d+)([^\0]*)", args.object.read_bytes())
    if not found:
        sys.exit(f"translate.py: {args.object} holds no PTX that is not compressed")
    text = max(found, key=lambda one: int(one[0]))[1].decode()
    try:
        module = Module(text)
    except Unknown as error:
        sys.exit(f"translate.py: {args.object}: {error}")
    lines = ["// Written by tests/ptx/translate.py.", '#include "tests/ptx/sim.hpp"', "namespace headroom::ptx {", "namespace {"]
    args.out.write_text("\n".join([*lines, *module.texts(), "}  // namespace", "}  // namespace headroom::ptx", ""]))


main()
