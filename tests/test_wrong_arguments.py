"""What is easily given wrongly to the Python interface: each refusal says what was expected."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
import mine

OFFSET = maml.LabelOffset(10.0)


def learner(**options):
    return toys.learner("cnp", maml.NormalHead(), 9, **options)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["label_mi"], r"a list of regularizers, .*received 'label_mi' in it. maml.make_regular"),
        ("label_mi", "a list of regularizers, .*received 'label_mi'. maml.make_regularizers"),
        (maml.MRA(), "a list of regularizers, .*received MRA"),
        ([keras.layers.Dense(1)], "a list of regularizers, .*received Dense in it"),
        ([maml.MRA], "a list of regularizers, .*received the class MRA in it"),
        (None, "a list of regularizers, .*received NoneType. maml"),
    ],
)
def test_regularizers_are_a_list_of_them(given, told):
    with pytest.raises(ValueError, match=f"Invalid value for `regularizers`: expected {told}"):
        learner(regularizers=given)


@pytest.mark.parametrize("kind", [maml.LabelMI, maml.PredictionMI, maml.LabelAugmentation])
def test_label_transforms_are_asked_for(kind):
    with pytest.raises(ValueError, match="expected a label transform, .*received a float"):
        kind(3.0)
    assert kind(OFFSET).label_transform is OFFSET


@pytest.mark.parametrize(
    ("make", "name", "listed"),
    [
        (lambda **given: maml.LabelMI(OFFSET, **given), "wieght", "did you mean weight"),
        (maml.MRW, "wieght", "sigma.*did you mean weight"),
        (lambda **given: maml.MAML(toys.perceptron(9, 1), maml.NormalHead(), **given),)
        + ("iner_steps", "head, .*did you mean inner_steps"),
        (maml.WeightDecay, "beta", "expected one of weight"),
    ],
)
def test_unknown_arguments_of_learners_and_regularizers_are_named(make, name, listed):
    with pytest.raises(ValueError, match=f"Unknown argument `{name}` of .*{listed}"):
        make(**{name: 3})
    assert make(name="own").name == "own"


def test_a_strength_that_is_no_number_is_told():
    with pytest.raises(ValueError, match="expected a number, at least 0, received '3'"):
        maml.LabelMI(OFFSET, weight="3")


class Shapes(maml.TaskFamily):
    """Zeros of given shapes, in place of episodes."""

    num_tasks = 10

    def __init__(self, support_x=(5, 1), support_y=(5, 1), query_x=(4, 1), query_y=(4, 1), axis=1):
        self.parts, self.axis = (support_x, support_y, query_x, query_y), axis

    def episodes(self, tasks, seed):
        count = [tf.shape(tasks)[0]] * self.axis
        return maml.Episode(*(tf.zeros([*count, *part]) for part in self.parts))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"support_y": (3, 1)}, "`support_y` .*as many examples as `support_x` has, 5; received 3"),
        ({"query_y": (5, 1)}, "`query_y` .*as many examples as `query_x` has, 4; received 5"),
        ({"support_x": ()}, r"`support_x` .*batches of tasks, .* received \[2\]"),
        ({"axis": 0}, r"`support_y` .*tasks, examples, dim, .* received \[5, 1\]. Batch a dataset"),
    ],
)
def test_parts_of_episodes_that_do_not_go_together_are_named(given, told):
    model = learner()
    model.compile("adam")
    with pytest.raises(ValueError, match=f"Invalid shape of {told}"):
        model.fit(Shapes(**given), batch_size=3, steps=10, verbose=0)
    assert not model.built


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_parts_that_would_be_broadcast_are_refused_later_too(method):
    model, episode = learner(), toys.Lines().sample(3, tf.constant([1, 2]))
    model.compile("adam")
    model.fit(episode, verbose=0)
    few = episode._replace(query_y=episode.query_y[:, :1])
    with pytest.raises(ValueError, match="`query_y` .*as many examples as `query_x`"):
        getattr(model, method)(few, verbose=0)
    few = episode._replace(query_x=episode.query_x[:1], query_y=episode.query_y[:1])
    with pytest.raises(ValueError, match="`query_x` .*as many tasks as `support_x` has, 3; rec"):
        getattr(model, method)(few, verbose=0)
    mask = tf.ones([3, 2], bool)
    with pytest.raises(ValueError, match="`support_mask` .*as many examples as `support_x`"):
        getattr(model, method)(maml.PaddedEpisode(*episode, mask), verbose=0)


def test_a_family_without_a_number_of_tasks_is_told():
    class Unnumbered(maml.TaskFamily):
        def episodes(self, tasks, seed):
            return toys.Lines().episodes(tasks, seed)

    class Faulty(Unnumbered):
        @property
        def num_tasks(self):
            return len(self.taskz)

    model = learner()
    model.compile("adam")
    with pytest.raises(AttributeError, match="Unnumbered has no `num_tasks`: .*num_tasks = 100"):
        model.fit(Unnumbered(), batch_size=3, steps=10, verbose=0)
    with pytest.raises(AttributeError, match="'Faulty' object has no attribute 'taskz'"):
        model.fit(Faulty(), batch_size=3, steps=10, verbose=0)


def test_arguments_of_other_base_classes_are_theirs():
    class Mixin:
        def __init__(self, amount=1.0):
            self.amount = amount

    class Layer(keras.layers.Layer):
        def __init__(self, amount=1.0, **kwargs):
            super().__init__(**kwargs)
            self.amount = amount

    class Term(maml.Regularizer, Layer):
        pass

    class Shift(maml.LabelTransform, Mixin):
        def __call__(self, episode, seed):
            return episode

    assert Shift(2.0).amount == Term(amount=2.0, autocast=False).amount == 2.0
    with pytest.raises(ValueError, match="Unknown argument `amont` of Term: .*did you mean amount"):
        Term(amont=2.0)


def test_permutations_of_labels_that_are_numbers_are_refused():
    episode = toys.Lines().sample(3, tf.constant([1, 2]))
    with pytest.raises(ValueError, match=r"LabelPermutation\(3\): .*3 classes; received .* of 1"):
        maml.LabelPermutation(3)(episode, tf.constant([1, 2]))

    @tf.function(input_signature=[tf.TensorSpec([2, None, None])])
    def relabeled(y):
        return maml.LabelPermutation(3)(maml.Episode(y, y, y, y), tf.constant([1, 2])).query_y

    np.testing.assert_array_equal(tf.reduce_sum(relabeled(tf.one_hot([[0], [1]], 3)), -1), 1)


def test_nats_are_logged_where_the_entropy_is_known():
    def logged(transform, **options):
        model = learner(regularizers=[maml.LabelMI(transform, **options)])
        model.compile("adam")
        return model.evaluate(toys.Lines(), steps=1, verbose=0, return_dict=True)

    assert "label_mi_nats" in logged(OFFSET)
    unknown = logged(maml.LabelScale())
    assert "label_mi_nats" not in unknown and "label_mi_surrogate" in unknown
    assert "label_mi_nats" in logged(maml.LabelScale(), bound="plugin")


def test_estimators_and_options_of_mine_are_listed():
    x = np.random.default_rng(0).standard_normal([200, 2])
    with pytest.raises(ValueError, match="infonce, ksg, gaussian; received 'ksgg'"):
        mine.estimate(x[:, 0], x[:, 1], bound="ksgg")
    with pytest.raises(ValueError, match="Unknown option `stepz`: .*did you mean steps"):
        mine.estimate(x[:, 0], x[:, 1], stepz=3)
    with pytest.raises(ValueError, match="smile, infonce; received 'ksg'"):
        mine.MINE(bound="ksg")
