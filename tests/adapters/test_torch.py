import copy
import warnings
from importlib.util import find_spec
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations

from cfx_jax.adapters import Inputs, Outputs, from_torch, load_torch, torch_callback
from cfx_jax.attributions import integrated_gradients
from cfx_jax.costs import kept_memory
from cfx_jax.counterfactuals import vce, vce_batch
from cfx_jax.errors import InputError, reason_of
from cfx_jax.objectives import class_score

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")

IMAGES = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype(np.float32)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
INPUTS = Inputs("channels_first", mean=MEAN, std=STD)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.BatchNorm2d(6), torch.nn.GELU()]
    layers += [torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(384, 3)]
    return torch.nn.Sequential(*layers)


@pytest.fixture(scope="module")
def classifier(network):
    return from_torch(network, inputs=INPUTS)


def by_torch(network, images):
    """Logits, and the gradients of the sum of the log-probabilities of class 2."""
    network = network.eval()
    values = torch.tensor(images).requires_grad_()
    normalised = (values - torch.tensor(MEAN)) / torch.tensor(STD)
    logits = network(normalised.permute(0, 3, 1, 2).contiguous())
    torch.log_softmax(logits, 1)[:, 2].sum().backward()
    network.train()
    return logits.detach().numpy(), values.grad.numpy()


@pytest.mark.parametrize("bridge", ["callback", "jax"])
def test_values_and_gradients_are_those_of_pytorch(network, bridge):
    if bridge == "jax" and find_spec("torchax") is None:
        pytest.skip("the extra 'parity' is not installed")
    classifier = from_torch(network, inputs=INPUTS, bridge=bridge)
    logits, gradients = by_torch(network, IMAGES)
    np.testing.assert_allclose(jax.jit(jax.vmap(classifier))(IMAGES), logits, atol=1e-5)
    slope = jax.grad(lambda image: jax.nn.log_softmax(classifier(image))[2])
    np.testing.assert_allclose(jax.jit(jax.vmap(slope))(IMAGES), gradients, atol=1e-6)
    np.testing.assert_allclose(jnp.stack(list(map(slope, IMAGES))), gradients, atol=1e-6)
    np.testing.assert_allclose(jax.lax.map(slope, IMAGES), gradients, atol=1e-6)


def test_the_given_module_stays_in_training_mode(network, classifier):
    assert all(part.training for part in network.modules())
    np.testing.assert_array_equal(classifier(IMAGES[0]), classifier(IMAGES[0]))


def test_many_calls_compile_once(classifier):
    options = {"p": 2, "radius": 1.0, "num_steps": 3}
    vce(classifier, IMAGES[0], 1, **options)
    with counted_compilations() as compilations:
        results = [vce(classifier, image, 1, **options) for image in IMAGES]
    assert not compilations
    batch = vce_batch(classifier, IMAGES, np.ones(4, int), **options, batch_size=2)
    np.testing.assert_allclose([r.probability for r in results], batch.probability, atol=1e-5)
    assert (batch.probability > batch.initial_probability).all()


def test_one_forward_and_one_backward_pass_a_gradient(network):
    calls = []
    network = torch.nn.Sequential(*network).eval()
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    slope = jax.jit(jax.value_and_grad(class_score(from_torch(network, inputs=INPUTS), 1)))
    slope(IMAGES[0])
    calls.clear()
    for image in IMAGES:
        jax.block_until_ready(slope(image))
    handle.remove()
    assert len(calls) == len(IMAGES)


def test_a_gradient_that_is_asked_for_late_is_right(network, classifier):
    """More forward passes lie between than graphs are kept."""
    expected = by_torch(network, IMAGES)[1]
    pulls = [jax.vjp(lambda x: jax.nn.log_softmax(classifier(x))[2], x)[1] for x in IMAGES]
    pulls += [jax.vjp(classifier, IMAGES[0])[1] for _ in range(8)]
    gradients = [pull(jnp.float32(1))[0] for pull in pulls[:4]]
    np.testing.assert_allclose(gradients, expected, atol=1e-6)
    again = [pull(jnp.float32(1))[0] for pull in pulls[:4]]
    np.testing.assert_array_equal(gradients, again)


def test_a_batch_whose_graph_is_too_large_is_computed_in_parts(network, monkeypatch):
    one_image = 4 * (8 * 8 * (3 + 6 + 6 + 6) + 3 * 2)  # float32: images, layers and statistics
    monkeypatch.setattr(torch_callback, "_MOST_BYTES", 3 * one_image)
    classifier, sizes = from_torch(network, inputs=INPUTS), []
    module = classifier.batched.module
    handle = module.register_forward_hook(
        lambda _module, given, _values: sizes.append(len(given[0]))
    )
    slope = jax.grad(lambda image: jax.nn.log_softmax(classifier(image))[2])
    images = np.concatenate([IMAGES, IMAGES[::-1]])
    gradients = jax.jit(jax.vmap(slope))(images)
    handle.remove()
    assert max(sizes) in (2, 3)
    logits, wanted = by_torch(network, images)
    np.testing.assert_allclose(gradients, wanted, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(classifier)(images), logits, atol=1e-5)


@pytest.mark.parametrize("most_images", [100, 3])
def test_the_memory_of_a_program_holds_the_graph_of_its_images(network, monkeypatch, most_images):
    """Counted by PyTorch's own hook while the graph of all images, or of a part, is recorded."""
    sizes = {}

    def count(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        by_torch(network, np.repeat(IMAGES, 2, axis=0))
    weights = sum(tensor.nbytes for tensor in network.parameters())
    expected = (sum(sizes.values()) - weights) / 8
    monkeypatch.setattr(torch_callback, "_MOST_BYTES", most_images * expected)
    slope = jax.vmap(jax.vmap(jax.grad(class_score(from_torch(network, inputs=INPUTS), 1))))
    traced = jax.jit(slope).trace(jnp.zeros((2, 4, 8, 8, 3)))
    kept = kept_memory(traced)
    assert kept.purpose == "PyTorch's graph"
    np.testing.assert_allclose(kept.num_bytes, min(8, most_images) * expected, rtol=0.3)
    assert kept_memory(jax.jit(from_torch(network, inputs=INPUTS)).trace(IMAGES[0])) is None


@pytest.mark.parametrize("end", ["reshape", "view"])
def test_depthwise_networks_have_pytorchs_values_and_gradients(end):
    """Images have channels last in memory, unless the network raises an error of that order."""

    class Depthwise(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 6, 3, padding=1)
            self.depthwise = torch.nn.Conv2d(6, 6, 3, padding=1, groups=6)
            self.last = torch.nn.Linear(384, 3)

        def forward(self, images):
            maps = torch.nn.functional.gelu(self.depthwise(self.first(images)))
            return self.last(getattr(maps, end)(len(images), -1))

    torch.manual_seed(1)
    network, orders = Depthwise(), []
    classifier = from_torch(network, inputs=INPUTS)
    classifier.batched.module.first.register_forward_hook(
        lambda _layer, given, _values: orders.append(given[0].is_contiguous())
    )
    slope = jax.grad(lambda image: jax.nn.log_softmax(classifier(image))[2])
    gradients = jax.jit(jax.vmap(slope))(IMAGES)
    assert orders[-1] == (end == "view")
    logits, wanted = by_torch(network, IMAGES)
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), logits, atol=1e-5)
    np.testing.assert_allclose(gradients, wanted, atol=1e-6)


def test_integrated_gradients_are_those_of_captum(network, classifier):
    captum = pytest.importorskip("captum.attr")
    network.eval()

    def logit(images):
        normalised = (images - torch.tensor(MEAN)) / torch.tensor(STD)
        return network(normalised.permute(0, 3, 1, 2))

    method = captum.IntegratedGradients(logit)
    images = torch.tensor(IMAGES[:1])
    expected = method.attribute(images, target=1, n_steps=16, method="riemann_middle")
    score = class_score(classifier, 1, of="logit")
    got = integrated_gradients(score, IMAGES[0], num_steps=16, nodes_per_batch=4)
    network.train()
    np.testing.assert_allclose(got, expected[0].detach(), atol=1e-4)


def test_double_precision_networks_and_several_labels(network):
    double = torch.nn.Sequential(*network).eval().double()
    logits, _ = by_torch(double.float(), IMAGES)
    classifier = from_torch(double.double().eval(), inputs=INPUTS, outputs=Outputs(label=2))
    expected = np.stack([np.zeros(4), logits[:, 2]], 1)
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), expected, atol=1e-5)
    network.float().train()


@pytest.mark.parametrize("kind", ["script", "trace", "export"])
def test_networks_of_files(network, tmp_path, kind):
    network.eval()
    example = torch.zeros((2, 3, 8, 8))
    path = tmp_path / ("network.pt2" if kind == "export" else "network.pt")
    if kind == "export":
        batch = {0: torch.export.Dim("batch")}
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=(batch,)), path)
    else:
        make = torch.jit.script if kind == "script" else lambda x: torch.jit.trace(x, example)
        torch.jit.save(make(network), str(path))
    network.train()
    logits, gradients = by_torch(network, IMAGES)
    classifier = from_torch(load_torch(path), inputs=INPUTS)
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), logits, atol=1e-5)
    slope = jax.grad(lambda image: jax.nn.log_softmax(classifier(image))[2])
    np.testing.assert_allclose(jax.jit(jax.vmap(slope))(IMAGES), gradients, atol=1e-6)


def test_what_torchscript_raises_has_its_reason_in_one_line(network):
    scripted = torch.jit.trace(network.eval(), torch.zeros((2, 3, 8, 8)))
    network.train()
    with pytest.raises(InputError, match=r"expected input.* to have 3 channels, but got 1"):
        from_torch(scripted, inputs=Inputs("channels_first"))(IMAGES[0, :, :, :1])


def test_files_that_hold_no_network_are_named(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    torch.save(network, tmp_path / "pickled.pt")
    (tmp_path / "text.pt").write_text("no network")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "weights.pt").read_bytes()[:-100])
    for name, message in {
        "weights.pt": "got weights alone: build their network, load them by load_state_dict",
        "cut.pt": "got a file that is neither",
        "pickled.pt": "a pickled module, which would run code",
        "text.pt": "got a file that is neither",
        "none.pt": "expected a file, found none",
    }.items():
        with pytest.raises(InputError) as caught:
            load_torch(tmp_path / name)
        assert message in str(caught.value), name


def test_wrong_networks_are_named(network, classifier):
    with pytest.raises(InputError, match=r"module: expected a torch.nn.Module"):
        from_torch({"weights": 1})
    with pytest.raises(InputError, match="bridge: expected one of 'callback', 'jax'"):
        from_torch(network, bridge="onnx")
    with pytest.raises(InputError, match="Inputs"):
        classifier(IMAGES[0, :4])  # the linear layer has other sizes


class Wrapped(torch.nn.Module):
    """A network with another end."""

    def __init__(self, network, end):
        super().__init__()
        self.network, self.end = network, end

    def forward(self, images):
        return self.end(self.network(images))


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda values: (values, values), "^module: expected one tensor of values, got tuple"),
        (lambda values: {"out": values}, "^module: expected one tensor of values, got dict"),
        (lambda values: values.sum(), "for one image"),
        (lambda values: values[0], "for one image"),
        (lambda values: values.mean(0, keepdim=True), "for two images"),
        (lambda values: values + 1j, "real values"),
    ],
)
def test_values_that_are_not_of_each_image_are_named(network, end, message):
    with pytest.raises(InputError, match=message):
        jax.vmap(from_torch(Wrapped(network, end), inputs=INPUTS))(IMAGES)


@pytest.mark.parametrize("bridge", ["callback", "jax"])
@pytest.mark.parametrize("kind", [dict, SimpleNamespace])
def test_logits_beside_other_values_are_taken_by_their_name(network, bridge, kind):
    """As the classifiers of Hugging Face give them, and segmenters of torchvision do not."""
    if bridge == "jax" and find_spec("torchax") is None:
        pytest.skip("the extra 'parity' is not installed")
    module = Wrapped(network, lambda values: kind(loss=None, logits=values))
    classifier = from_torch(module, inputs=INPUTS, bridge=bridge)
    logits = by_torch(network, IMAGES)[0]
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), logits, atol=1e-5)


def test_values_without_a_gradient_are_named(network):
    classifier = from_torch(Wrapped(network, lambda values: values.detach()), inputs=INPUTS)
    np.testing.assert_allclose(classifier(IMAGES[0]), by_torch(network, IMAGES)[0][0], atol=1e-5)
    with pytest.raises(InputError, match="expected values with a gradient"):
        jax.grad(lambda image: classifier(image)[0])(IMAGES[0])


def test_what_a_module_raises_later_has_its_reason_in_one_line(network):
    def end(values):
        if calls:
            raise RuntimeError("first line\nsecond line")
        return values

    calls = []
    module = Wrapped(network, end)
    classifier = jax.jit(from_torch(module, inputs=INPUTS))
    jax.block_until_ready(classifier(IMAGES[0]))
    calls.append(1)
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError)) as caught:
        jax.block_until_ready(classifier(IMAGES[0]))
    reason = reason_of(caught.value)
    assert "module: expected" in reason and "RuntimeError: first line" in reason


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_gradients_are_right_where_pytorch_records_none(network, classifier, mode):
    expected = by_torch(network, IMAGES)[1]
    slope = jax.vmap(jax.grad(lambda image: jax.nn.log_softmax(classifier(image))[2]))
    with getattr(torch, mode)():
        np.testing.assert_allclose(slope(IMAGES), expected, atol=1e-6)


def test_a_copy_in_evaluation_mode_follows_the_training(network):
    module = copy.deepcopy(network)
    classifier = from_torch(module, inputs=INPUTS)
    classify = jax.jit(jax.vmap(classifier))
    classify(IMAGES)
    with torch.no_grad():
        module[0].weight.mul_(2.0)
        module[1].running_mean.add_(0.5)
    np.testing.assert_allclose(classify(IMAGES), by_torch(module, IMAGES)[0], atol=1e-5)


def test_a_module_set_to_training_mode_later_is_told(network):
    module = copy.deepcopy(network).eval()
    classifier = jax.jit(from_torch(module, inputs=INPUTS))
    jax.block_until_ready(classifier(IMAGES[0]))
    module.train()
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match="expected evaluation mode"):
        jax.block_until_ready(classifier(IMAGES[0]))


def test_a_program_of_one_image_explains_many(network):
    logits, gradients = by_torch(network, IMAGES)
    program = torch.export.export(network.eval(), (torch.zeros((1, 3, 8, 8)),))
    network.train()
    classifier = from_torch(program, inputs=INPUTS)
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), logits, atol=1e-5)
    slope = jax.grad(lambda image: jax.nn.log_softmax(classifier(image))[2])
    np.testing.assert_allclose(jax.jit(jax.vmap(slope))(IMAGES), gradients, atol=1e-6)


@pytest.mark.parametrize("bridge", ["callback", "jax"])
def test_networks_in_half_precision(network, bridge):
    if bridge == "jax" and find_spec("torchax") is None:
        pytest.skip("the extra 'parity' is not installed")
    half = copy.deepcopy(network).to(torch.bfloat16)
    logits = jax.vmap(from_torch(half, inputs=INPUTS, bridge=bridge))(IMAGES)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, by_torch(network, IMAGES)[0], atol=0.05)


def test_weights_that_a_cpu_is_slow_with_are_told(network):
    with pytest.warns(UserWarning, match=r"float16, .* give module.float\(\)"):
        from_torch(copy.deepcopy(network).half())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_torch(copy.deepcopy(network).bfloat16())
