"""What a traced TensorFlow graph takes to run, counted from the shapes in it.

Nothing is run, so large sizes are counted as fast as small ones. What stands in a loop counts as
often as the loop turns. Counts are of the graph as it was traced: TensorFlow merges some of its
operations before the first step, which the rates of :mod:`maml.experiments.cost.machine` allow for.
"""

import collections
import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import tensorflow as tf

Shape = tuple[int, ...]

_VIEWS = (
    "Reshape", "Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "Squeeze",
    "ExpandDims", "ReadVariableOp", "TensorListSetItem", "TensorListGetItem", "TensorListPopBack",
    "TensorListPushBack",
)  # fmt: skip
"""Operations that hand on what is there: they copy nothing and take no memory."""

_GIVEN = ("Const", "Placeholder", "NoOp")
"""Nodes that there is nothing to run for."""

_CALLED = ("body", "cond", "then_branch", "else_branch", "f")
"""Attributes of nodes that call a function; those of a loop are the first two."""


PASSED_ON = 3
"""Operations by which a loop hands a value to its next turn: Merge, Switch and NextIteration."""


@dataclasses.dataclass(frozen=True)
class Count:
    """What one run of a graph takes.

    Attributes:
        products: multiply-adds of products of matrices.
        convolutions: multiply-adds of convolutions and of their gradients.
        traffic: bytes that operations read and write.
        operations: that are run; one in a loop counts as often as the loop turns.
        nodes: that the graph is written with; one in a loop counts once.
        peak: bytes of tensors that are held at once, at most, if operations run one by one in the
            order in which they were traced; without variables and without what the graph is given.
    """

    products: float = 0.0
    convolutions: float = 0.0
    traffic: float = 0.0
    operations: float = 0.0
    nodes: int = 0
    peak: float = 0.0

    @property
    def multiply_adds(self) -> float:
        """Multiply-adds of matrix products and convolutions."""
        return self.products + self.convolutions

    def __add__(self, other: "Count") -> "Count":
        """The work of both, one after the other."""
        return Count(
            self.products + other.products,
            self.convolutions + other.convolutions,
            self.traffic + other.traffic,
            self.operations + other.operations,
            self.nodes + other.nodes,
            max(self.peak, other.peak),
        )

    def times(self, turns: float) -> "Count":
        """The counts of the same work, repeated."""
        return Count(
            turns * self.products,
            turns * self.convolutions,
            turns * self.traffic,
            turns * self.operations,
            self.nodes,
            self.peak,
        )


def count(function) -> Count:
    """What one call of a traced function takes.

    Args:
        function: as ``get_concrete_function`` of a ``tf.function`` gives it. Sizes that are not
            known when it is traced count as 1, and so do the turns of a loop without
            ``maximum_iterations``; of branches the one with more operations counts.
    """
    graph = function.graph.as_graph_def(add_shapes=True)
    results = [of.name for of in function.graph.outputs]
    results += [of.name for of in function.graph.control_outputs]
    functions = {of.signature.name: of for of in graph.library.function}
    return _Library(functions).run(_alive(graph.node, results))


class _Library:
    """Counts graphs that call these functions."""

    def __init__(self, functions: Mapping):
        self.functions = functions

    def run(
        self,
        nodes: Sequence,
        shapes: Mapping[str, list[Shape]] | None = None,
        numbers: Mapping[str, int] | None = None,
    ) -> Count:
        """What nodes take.

        Args:
            nodes: of a graph or a function, in the order in which they were traced.
            shapes: of the arguments of the function, by name, each in a list.
            numbers: arguments that are known whole numbers, by name.
        """
        total, shapes, numbers = Count(), dict(shapes or {}), dict(numbers or {})
        constant: set[str] = set()
        held: dict[str, float] = {}
        ends, now, peak = _last_uses(nodes), 0.0, 0.0
        for place, node in enumerate(nodes):
            inputs = _inputs(node)
            shapes[node.name] = outputs = _shapes(node)
            _note_number(node, inputs, numbers)
            # What depends on constants only is computed once, before the first step.
            if node.op == "Const" or (inputs and constant.issuperset(inputs)):
                constant.add(node.name)
            if node.op in _GIVEN or node.name in constant:
                total += Count(nodes=1)
                continue
            read = [_read(name, shapes) for name in node.input if not name.startswith("^")]
            called, lists = self._called(node, inputs, read, numbers)
            own = 0.0 if node.op in _VIEWS else _bytes(node, outputs)
            if called is None:
                called = _work(node, read, outputs)
            now += own + lists
            peak = max(peak, now + called.peak)
            total += dataclasses.replace(called, peak=0.0)
            held[node.name] = own + lists
            now -= sum(held.pop(name, 0.0) for name in ends[place])
        return dataclasses.replace(total, peak=peak)

    def _called(self, node, inputs, read, numbers) -> tuple[Count | None, float]:
        """What the functions that a node calls take, and bytes of the lists that a loop fills.

        The gradient of a loop needs what each of its turns computed, which is kept in lists.
        """
        names = [node.attr[name].func.name for name in _CALLED if name in node.attr]
        names += [of.name for of in node.attr["branches"].list.func]
        if not names:
            return None, 0.0
        loop = "body" in node.attr
        first = 0 if loop or "f" in node.attr else 1  # Branches: after the condition.
        given = list(zip(inputs, read, strict=True))[first:]
        found = {name: self._function(name, given, numbers) for name in names}
        if not loop:
            return max(found.values(), key=lambda of: of.operations) + Count(operations=1), 0.0
        body, test = found[node.attr["body"].func.name], found[node.attr["cond"].func.name]
        turns = max([1, *(numbers[of] for of in inputs[1:2] if of in numbers)])
        passed = Count(operations=turns * PASSED_ON * len(inputs), nodes=PASSED_ON * len(inputs))
        total = body.times(turns) + test.times(turns + 1) + passed
        return total, turns * self._pushed(node, given)

    def _pushed(self, loop, given) -> float:
        """Bytes that a turn of a loop adds to lists."""
        function = self.functions[loop.attr["body"].func.name]
        shapes = _arguments(function, given) | {of.name: _shapes(of) for of in function.node_def}
        pushes = [of for of in function.node_def if of.op == "TensorListPushBack"]
        return sum(_bytes(of, [_read(of.input[1], shapes)]) for of in pushes)

    def _function(self, name: str, given: Sequence[tuple[str, Shape]], numbers) -> Count:
        """What a function takes, called with the outputs of nodes: their names and shapes."""
        function = self.functions[name]
        pairs = zip(function.signature.input_arg, given, strict=False)
        known = {of.name: numbers[value] for of, (value, _) in pairs if value in numbers}
        results = [*function.ret.values(), *function.control_ret.values()]
        return self.run(_alive(function.node_def, results), _arguments(function, given), known)


def _alive(nodes: Iterable, results: Iterable[str]) -> list:
    """The nodes that results depend on; others, such as those of one task, are never run."""
    by_name = {of.name: of for of in nodes}
    waiting, found = [_node(name) for name in results], set()
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += [_node(of) for of in by_name[name].input]
    return [of for of in nodes if of.name in found]


def _node(name: str) -> str:
    """The node of an output, "node:1", or of a condition, "^node"."""
    return name.removeprefix("^").partition(":")[0]


def _arguments(function, given) -> dict[str, list[Shape]]:
    names = [of.name for of in function.signature.input_arg]
    return {name: [shape] for name, (_, shape) in zip(names, given, strict=False)}


def _read(name: str, shapes: Mapping[str, list[Shape]]) -> Shape:
    """The shape that an input of a node has: "node:1", in functions "node:outputs:1"."""
    node, *rest = name.split(":")
    outputs, index = shapes.get(node, [()]), int(rest[-1]) if rest else 0
    if rest[:1] == ["tensor"]:  # Of TensorListPopBack: after the list.
        index = 1
    return outputs[index] if index < len(outputs) else ()


def _inputs(node) -> list[str]:
    """Names of the nodes, or of the arguments of the function, that a node reads."""
    return [_node(name) for name in node.input if not name.startswith("^")]


def _last_uses(nodes) -> dict[int, list[str]]:
    """Place of a node -> nodes whose outputs are not needed after it, themselves or by views."""
    seen_through: dict[str, str] = {}
    last: dict[str, int] = {}
    for place, node in enumerate(nodes):
        inputs = [seen_through.get(name, name) for name in _inputs(node)]
        viewed = inputs[0] if node.op in _VIEWS and inputs else node.name
        seen_through[node.name] = viewed
        last |= dict.fromkeys([viewed, *inputs], place)
    found = collections.defaultdict(list)
    for name, place in last.items():
        found[place].append(name)
    return found


def _note_number(node, inputs, numbers: dict[str, int]) -> None:
    """Adds a node to the known whole numbers if it is one."""
    if node.op == "Const":
        value = tf.make_ndarray(node.attr["value"].tensor)
        if value.size == 1 and value.dtype.kind in "iu":
            numbers[node.name] = int(value.reshape(-1)[0])
    elif node.op in ("Identity", "Reshape") and inputs[0] in numbers:
        numbers[node.name] = numbers[inputs[0]]


def _shapes(node) -> list[Shape]:
    return [
        tuple(max(dim.size, 1) for dim in shape.dim)
        for shape in node.attr["_output_shapes"].list.shape
    ]


def _size(shapes: Iterable[Shape]) -> float:
    return float(sum(math.prod(map(float, shape)) for shape in shapes))


def _bytes(node, shapes: Iterable[Shape]) -> float:
    """Of a node's tensors of these shapes."""
    kinds = (node.attr[name].type for name in ("DstT", "dtype", "element_dtype", "T"))
    kind = next((kind for kind in kinds if kind), tf.float32.as_datatype_enum)
    return _size(shapes) * max(tf.dtypes.as_dtype(kind).size, 1)


def _work(node, inputs: list[Shape], outputs: list[Shape]) -> Count:
    """What one operation takes."""
    traffic = 0.0
    if node.op not in _VIEWS:
        traffic = _bytes(node, outputs) + _bytes(node, inputs)
    products = _PRODUCTS[node.op](node, inputs, outputs) if node.op in _PRODUCTS else 0.0
    convolved = _CONVOLUTIONS[node.op](inputs, outputs) if node.op in _CONVOLUTIONS else 0.0
    return Count(products, convolved, traffic, operations=1, nodes=1)


def _matrices(transposed: str, node, inputs, outputs) -> float:
    """Multiply-adds of [..., m, k] x [..., k, n]: k for each number of the output."""
    left = (1, 1, *inputs[0])  # Where no shape is known: 1.
    return _size(outputs) * left[-2 if node.attr[transposed].b else -1]


def _sum_of_products(node, inputs, outputs) -> float:
    """Multiply-adds of an Einstein sum of two tensors: the sizes of all its indices."""
    equation = node.attr["equation"].s.decode().replace("...", "")
    sizes: dict[str, int] = {}
    for names, shape in zip(equation.partition("->")[0].split(","), inputs, strict=False):
        sizes |= dict(zip(reversed(names), reversed(shape), strict=False))
    return float(math.prod(map(float, sizes.values())))


_PRODUCTS: dict[str, Callable] = {
    "MatMul": functools.partial(_matrices, "transpose_a"),
    "BatchMatMul": functools.partial(_matrices, "adj_x"),
    "BatchMatMulV2": functools.partial(_matrices, "adj_x"),
    "Einsum": _sum_of_products,
}


def _window(images: Shape, kernel: Shape) -> float:
    """Multiply-adds of a kernel [height, width, in, out] at each place of its outputs."""
    return _size([images]) * math.prod(kernel[:-1])


_CONVOLUTIONS: dict[str, Callable] = {
    "Conv2D": lambda inputs, outputs: _window(outputs[0], inputs[1]),
    "Conv2DBackpropInput": lambda inputs, outputs: _window(inputs[2], inputs[1]),
    "Conv2DBackpropFilter": lambda inputs, outputs: _window(inputs[2], outputs[0]),
    "DepthwiseConv2dNative": lambda inputs, outputs: _size(outputs) * math.prod(inputs[1][:2]),
}
