"""Reinforcement learning: estimators against exact sums, optimizers, on-policy data, runs."""

import itertools
import json
import unittest.mock

import numpy as np
import pytest
import tensorflow as tf
from marks import exhaustive

import maml
from maml.core.episodes import fold_in
from maml.core.registry import TASKS
from maml.experiments import training
from maml.experiments.config import Config
from maml.experiments.run_folder import CONFIG, LEARNER
from maml.rl import advantages, evaluate, study
from maml.rl.adaptation import adapt_further
from maml.rl.environments.bandits import Bandit
from maml.rl.environments.navigation import Navigation
from maml.rl.environments.tabular import TabularMDP
from maml.rl.family import PolicyTasks
from maml.rl.outer.surrogate import Surrogate
from maml.rl.outer.trpo import TRPO, conjugate_gradient
from maml.rl.policies import CategoricalPolicy, GaussianPolicy, PolicyHead, policy_networks
from maml.rl.trajectories import Trajectories, collect
from mine import reporting

RATE = 0.7


def bandit_learner(horizon, surrogate, logits):
    """A policy over two arms, whose weights are its logits, and the rate of one inner step."""
    head = PolicyHead(2, True, horizon, surrogate)
    network = policy_networks(1, True, hidden=()).network(2)
    network.layers[-1].bias.assign(logits)
    return maml.MAML(network, head, inner_lr=RATE, inner_steps=1)


def enumerate_jacobian(learner, pulls, horizon, rewards):
    """E[d phi / d theta] over all sequences of pulls, [2, 2]: of the logits."""
    bias = learner.network.layers[-1].bias
    chances = tf.nn.softmax(bias).numpy()
    expected = np.zeros([2, 2])
    for arms in itertools.product(range(2), repeat=pulls):
        gains = np.array([rewards[arm] for arm in arms])
        if learner.head.surrogate != "dice":  # Of the trajectory from here on.
            gains = advantages.discounted(gains.reshape(-1, horizon), 1.0).reshape(-1)
        y = np.concatenate([np.eye(2)[list(arms)], gains[:, None]], axis=1)[None]
        with tf.GradientTape() as tape:
            state = learner.encode(np.zeros([1, pulls, 1], np.float32), y.astype(np.float32))
            adapted = state[1][0]
        jacobian = tape.jacobian(adapted, bias.value).numpy()
        expected += np.prod(chances[list(arms)]) * jacobian
    return expected


def hessian_of_return(logits, rewards, times=1.0):
    """Second derivative of ``times`` E[r] in the logits, by the formula of the softmax."""
    p = np.exp(logits) / np.exp(logits).sum()
    slope = np.diag(p) - np.outer(p, p)
    total = np.zeros([2, 2])
    for arm in range(2):
        own = np.eye(2)[arm] - p
        total += rewards[arm] * p[arm] * (np.outer(own, own) - slope)
    return times * total


LOGITS, REWARDS = np.array([0.4, -0.3]), np.array([1.0, 0.2])


@pytest.mark.parametrize(("surrogate", "horizon"), [("lvc", 1), ("dice", 1), ("dice", 3)])
def test_jacobian_of_the_inner_step_is_right_in_expectation(surrogate, horizon):
    """Over all sequences of three pulls it is 1 + rate * the Hessian of the expected return.

    One trajectory of three pulls has three times the return, and a mean over three steps.
    """
    learner = bandit_learner(horizon, surrogate, LOGITS)
    found = enumerate_jacobian(learner, 3, horizon, REWARDS)
    known = np.eye(2) + RATE * hessian_of_return(LOGITS, REWARDS)
    np.testing.assert_allclose(found, known, atol=1e-5)


def test_the_logarithm_as_surrogate_misses_the_score_terms():
    """Rothfuss et al. 2019, section 4: of the Hessian it keeps E[A d2 log pi] only."""
    found = enumerate_jacobian(bandit_learner(1, "log", LOGITS), 3, 1, REWARDS)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum()
    kept = -(p @ REWARDS) * (np.diag(p) - np.outer(p, p))
    np.testing.assert_allclose(found, np.eye(2) + RATE * kept, atol=1e-5)
    known = np.eye(2) + RATE * hessian_of_return(LOGITS, REWARDS)
    assert np.abs(found - known).max() > 0.05


# -- advantages ------------------------------------------------------------------------------------


def some_trajectories(ends=False):
    rng = np.random.default_rng(0)
    shape = (2, 4, 6)
    alive = np.ones(shape, bool)
    if ends:
        for index in np.ndindex(shape[:2]):
            alive[index][rng.integers(2, 7) :] = False
    rewards = rng.standard_normal(shape) * alive
    return Trajectories(rng.standard_normal((*shape, 3)), np.zeros((*shape, 1)), rewards, alive)


@pytest.mark.parametrize("ends", [False, True])
def test_advantages_are_those_of_plain_loops(ends):
    made, gamma, trace = some_trajectories(ends), 0.9, 0.8
    values = advantages.baseline(made, gamma)
    found = advantages.generalized(made, values, gamma, trace)
    for task in range(2):
        rows, targets = [], []
        for trajectory, step in np.ndindex(4, 6):
            if made.alive[task, trajectory, step]:
                o, t = made.observations[task, trajectory, step], step / 100
                rows.append([*o, *o**2, t, t**2, t**3, 1.0])
                rest = made.rewards[task, trajectory, step:]
                targets.append(sum(gamma**k * r for k, r in enumerate(rest)))
        rows = np.array(rows)
        weights = np.linalg.solve(
            rows.T @ rows + advantages.RIDGE * np.eye(rows.shape[1]), rows.T @ targets
        )
        expected = iter(rows @ weights)
        for trajectory in range(4):
            length = int(made.alive[task, trajectory].sum())
            own = [next(expected) for _ in range(length)]
            np.testing.assert_allclose(values[task, trajectory, :length], own, rtol=1e-3, atol=1e-4)
            own, later = list(values[task, trajectory, :length]), 0.0
            for step in reversed(range(length)):
                following = own[step + 1] if step + 1 < length else 0.0
                error = made.rewards[task, trajectory, step] + gamma * following - own[step]
                later = error + gamma * trace * later
                assert found[task, trajectory, step] == pytest.approx(later)
            assert not found[task, trajectory, length:].any()
    scaled = advantages.standardized(found, made.alive)
    for task in range(2):
        own = scaled[task][made.alive[task]]
        assert own.mean() == pytest.approx(0, abs=1e-9) and own.std() == pytest.approx(1)


def test_value_iteration_is_the_best_of_all_plans():
    """Of two states, two actions and three steps, against every policy that knows the time."""
    environment = TabularMDP(states=2, actions=2, horizon=3)
    tasks = environment.draw_tasks(3, np.random.default_rng(0))
    for row, best in zip(tasks, environment.optimum(tasks), strict=True):
        means, following = (part[0] for part in environment.tables(row[None]))
        returns = []
        for plan in itertools.product(range(2), repeat=6):
            at, total = np.array([1.0, 0.0]), 0.0
            for step in range(3):
                actions = plan[2 * step : 2 * step + 2]
                total += sum(at[s] * means[s, a] for s, a in enumerate(actions))
                at = sum(at[s] * following[s, a] for s, a in enumerate(actions))
            returns.append(total)
        assert best == pytest.approx(max(returns))


def test_the_straight_line_is_the_best_way_to_the_goal():
    environment = Navigation(horizon=50)
    tasks = environment.draw_tasks(5, np.random.default_rng(0))
    made = collect(
        environment, tasks, 1, lambda o, _: 10 * (tasks[:, None] - o), np.random.default_rng(0)
    )
    np.testing.assert_allclose(made.returns()[:, 0], environment.optimum(tasks), atol=1e-5)


# -- policies --------------------------------------------------------------------------------------


def test_divergences_are_means_of_log_ratios():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal([2, 3, 4]).astype(np.float32)
    one, two = CategoricalPolicy(logits[0]), CategoricalPolicy(logits[1])
    p, q = one.mean().numpy(), two.mean().numpy()
    np.testing.assert_allclose(one.kl(two), (p * np.log(p / q)).sum(-1), rtol=1e-4)
    parts = rng.standard_normal([4, 2]), rng.uniform(0.5, 2, [4, 2])
    one, two = GaussianPolicy(*parts[:1], parts[1]), GaussianPolicy(parts[0] + 0.5, 1.5 * parts[1])
    a = parts[0] + parts[1] * rng.standard_normal([200_000, 4, 2])
    ratio = (one.log_prob(a) - two.log_prob(a)).numpy().mean(0)
    np.testing.assert_allclose(one.kl(two), ratio, atol=0.01)


@pytest.mark.parametrize("labels", ["actions", "with old probabilities"])
def test_surrogates_have_the_policy_gradient(labels):
    rng = np.random.default_rng(0)
    logits = tf.Variable(rng.standard_normal([6, 3]), dtype=tf.float32)
    y = np.concatenate([np.eye(3)[rng.integers(3, size=6)], rng.standard_normal([6, 1])], 1)
    gradients = {}
    for surrogate in ("lvc", "log", "dice"):
        head = PolicyHead(3, True, 3 if surrogate == "dice" else 1, surrogate)
        with tf.GradientTape() as tape:
            prediction = head(logits)
            full = tf.constant(y, tf.float32)
            if labels != "actions":
                old = tf.stop_gradient(prediction.log_prob(full))
                full = tf.concat([full, old[:, None]], 1)
            loss = tf.reduce_sum(head.loss(prediction, full))
        gradients[surrogate] = tape.gradient(loss, logits).numpy()
    np.testing.assert_allclose(gradients["lvc"], gradients["log"], atol=1e-6)
    # DiCE credits every action with all that comes after it in its trajectory.
    later = advantages.discounted(y[:, 3].reshape(2, 3), 1.0).reshape(-1, 1)
    scores = y[:, :3] - tf.nn.softmax(logits).numpy()
    np.testing.assert_allclose(gradients["dice"], -later * scores, atol=1e-5)


def test_an_inner_step_of_a_linear_policy_without_bias_moves_the_states_it_saw():
    network = policy_networks(4, True, hidden=None, bias=False).network(3)
    learner = maml.MAML(network, PolicyHead(3, True, 2), inner_lr=RATE, inner_steps=1)
    x = np.eye(4, dtype=np.float32)[[[1, 2]]]
    y = np.float32([[[1, 0, 0, 1.0], [0, 0, 1, -2.0]]])
    learner.create_weights(maml.core.episodes.Episode(x, y, x, y))
    (kernel,) = network.get_weights()
    every = np.eye(4, dtype=np.float32)[None]
    moved = learner.decode(learner.encode(x, y), learner.features(every)).mean().numpy()[0]
    chances = tf.nn.softmax(kernel).numpy()
    expected = kernel.copy()
    for state, action, advantage in ((1, 0, 1.0), (2, 2, -2.0)):
        expected[state] += RATE / 2 * advantage * (np.eye(3)[action] - chances[state])
    np.testing.assert_allclose(moved, tf.nn.softmax(expected), atol=1e-5)


# -- optimizers ------------------------------------------------------------------------------------


def test_conjugate_gradient_solves_a_system():
    rng = np.random.default_rng(0)
    root = rng.standard_normal([6, 6])
    matrix, target = root @ root.T + np.eye(6), rng.standard_normal(6)
    found = conjugate_gradient(
        lambda v: tf.linalg.matvec(tf.constant(matrix), v), tf.constant(target), 10
    )
    np.testing.assert_allclose(found, np.linalg.solve(matrix, target), rtol=1e-6)


def small(outer="trpo", task="navigation", **more):
    given = {
        "task": task, "learner": "maml", "outer": outer, "task.trajectories": 4,
        "learner.inner_steps": 1, "learner.inner_lr": 0.1, "network.hidden": (8,),
        "meta_batch_size": 4, "steps": 4, "steps_per_epoch": 2, "num_validation_batches": 1,
        "num_validation_tasks": 4, "num_test_tasks": 4, "task.test_tasks": 4,
    }  # fmt: skip
    given |= {"task.horizon": 10} if task == "navigation" else {}
    return Config.of(given | more)


def made(config):
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 5]))
    problem.evaluator(learner)
    training.compile_learner(learner, config)
    return problem, learner


@pytest.mark.parametrize("max_kl", [0.01, *exhaustive(0.0001)])
def test_steps_of_trpo_stay_within_their_divergence_and_raise_the_surrogate(max_kl):
    config = small(**{"outer.max_kl": max_kl})
    problem, learner = made(config)
    optimizer = TRPO(max_kl)
    accepted = 0
    for number in range(4):
        episode = problem.train.sample(4, tf.constant([number, 0]))
        episode = type(episode)(*map(tf.constant, episode))
        seed = tf.constant([0, number])
        every = Surrogate(learner, episode, seed)
        start = every.forward()[1]
        before = [v.numpy() for v in learner.learner_variables]
        logs, *_ = optimizer.meta_step(learner, episode, seed)
        value, divergence = every.value()
        assert divergence <= max_kl * 1.0001
        if logs["accepted"]:
            assert value < start and abs(divergence - logs["kl"]) < 1e-6
            accepted += 1
        else:
            for old, new in zip(before, learner.learner_variables, strict=True):
                np.testing.assert_array_equal(old, new.numpy())
    assert accepted >= 2


@pytest.mark.parametrize(
    ("outer", "more"),
    [("trpo", {}), ("promp", {"outer.outer_lr": 0.02}), ("adam", {"meta_lr": 0.03})],
)
def test_every_optimizer_learns_which_arm_pays(outer, more):
    """Two arms, of which the first pays more in every task: so adaptation is not needed."""
    config = small(outer, "bandit", **{"task.arms": 2, "steps": 40}, **more)
    problem, learner = made(config)
    for family in problem.families.values():
        family.tasks[:] = [0.9, 0.1]
    before = problem.evaluator(learner)(problem.test, 1, 4, 0)["return"].mean()
    learner.fit(problem.train, batch_size=8, steps=40, verbose=0)
    after = problem.evaluator(learner)(problem.test, 4, 4, 0)["return"].mean()
    assert before < 0.75 < after


# -- data follow the policy ------------------------------------------------------------------------


def test_batches_are_made_by_the_weights_of_their_step():
    """A dataset that draws ahead would show actions of older weights."""
    problem, learner = made(small("adam", "bandit", **{"task.arms": 2}))
    batches, bias = iter(problem.train.dataset(4, 0)), learner.network.layers[-1].bias
    for arm in (0, 1, 0, 1):
        bias.assign(100.0 * tf.one_hot(arm, 2))
        assert np.all(np.argmax(next(batches).support_y[..., :2], -1) == arm)


def test_batches_depend_on_their_number_and_the_policy_alone():
    problem, learner = made(small("adam"))
    two = list(itertools.islice(problem.train.dataset(4, 0), 2))[1]
    again = next(iter(problem.train.dataset(4, 0, start=1)))
    for one, other in zip(two, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("redraw", ["never", "episode", "trajectory"])
def test_codes_name_tasks_unless_they_are_drawn_anew(redraw):
    family = PolicyTasks(Navigation(5), 3, 0, trajectories=2, code=4, redraw=redraw)
    one, two = (family.episodes([0, 1], tf.constant([0, seed])) for seed in (1, 2))
    codes = [
        part[:, :, 2:].reshape(2, 2, 5, 4) for part in (one.support_x, one.query_x, two.support_x)
    ]
    for of in codes:  # The same in all steps of a trajectory, and of a task or not.
        assert np.ptp(of, axis=2).max() == 0 and np.abs(of[0] - of[1]).min() > 0
        assert (np.ptp(of, axis=1).max() == 0) == (redraw != "trajectory")
    assert np.array_equal(codes[0], codes[1]) is (redraw != "trajectory")
    assert np.array_equal(codes[0], codes[2]) is (redraw == "never")


def test_codes_do_not_explain_returns():
    """Advantages are those of the same trajectories without codes."""
    options = {"trajectories": 2, "redraw": "trajectory"}
    with_codes = PolicyTasks(Navigation(5), 3, 0, code=8, **options)
    without = PolicyTasks(Navigation(5), 3, 0, **options)
    made = with_codes.collect([0, 1], tf.constant([0, 1]))
    expected = without.labels(made._replace(observations=made.observations[..., :2]))
    np.testing.assert_array_equal(with_codes.labels(made), expected)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_what_is_told_of_a_task_has_noise_that_stays_the_same(noise):
    family = PolicyTasks(Navigation(5), 2000, 0, trajectories=2, told=True, noise=noise)
    one, two = (family.episodes([0, 7], tf.constant([0, seed])) for seed in (1, 2))
    for part in (one.query_x, two.support_x):
        np.testing.assert_array_equal(part[..., 2:], one.support_x[..., 2:])
    np.testing.assert_allclose(one.support_x[:, 0, 2:], family.told[[0, 7]], atol=1e-6)
    errors = family.told - family.tasks
    np.testing.assert_allclose(errors.std(axis=0), noise, rtol=0.1)
    assert abs(np.mean(errors * family.tasks)) < 0.02


def test_a_further_adaptation_from_the_start_is_the_first():
    problem, learner = made(small("adam"))
    episode = problem.train.sample(3, tf.constant([0, 1]))
    parts = [tf.constant(part) for part in episode]
    first = learner.encode(parts[0], parts[1], mask=parts[4])
    further = adapt_further(learner, learner.initial_state(3), parts[0], parts[1], parts[4])
    for one, other in zip(first, further, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_later_rates_are_chosen_by_validation_tasks():
    """Rates far too large for validation tasks are not taken, however good they were on test."""
    problem, _ = made(small("adam", **{"task.adaptations": 2, "task.later_rates": (0.0, 1.0)}))
    problem.evaluator(problem.test.policy)
    calls = []

    class Scorer:
        def __init__(self, learner, metrics, relabelings, adaptations):
            self.later_rate = None

        def __call__(self, family, *_):
            calls.append((family is problem.validation, self.later_rate))
            score = self.later_rate * (1 if family is problem.validation else -1)
            names = ("return", "no_support_return", "after_2_return")
            return {name: np.full([4, 1, 4], score) for name in names}

    with unittest.mock.patch.object(maml.rl.problem, "PolicyEvaluator", Scorer):
        found = problem.further_scores(None)
    assert calls == [(True, 0.0), (True, 1.0), (False, 1.0)]
    assert found["later_rate"] == 1.0 and found["returns_after"]["2"]["mean"] == -1


def test_who_does_not_adapt_in_training_samples_once():
    for inner_steps, same in ((0, True), (1, False)):
        problem, _ = made(small("adam", **{"learner.inner_steps": inner_steps}))
        episode = problem.train.sample(4, tf.constant([0, 1]))
        assert np.array_equal(episode.support_x, episode.query_x) is same


def test_few_different_tasks_are_reported_one_by_one():
    problem, _ = made(small("adam", **{"task.test_tasks": 4}))
    problem.test.tasks[:] = [[1, 0], [-1, 0], [1, 0], [1, 0]]
    scores = {
        name: np.arange(4.0).reshape(4, 1, 1)
        for name in ("return", "no_support_return", "mismatched_support_return")
    }
    found = problem.summarize(scores, problem.test)
    assert found["return_of_-1_0"]["mean"] == 1
    assert found["return_of_1_0"]["mean"] == pytest.approx(5 / 3)


# -- faults ----------------------------------------------------------------------------------------


class Faulty(Bandit):
    def __init__(self, fault):
        super().__init__(2)
        self.fault = fault

    def step(self, tasks, state, actions, rng):
        state, rewards, ended = super().step(tasks, state, actions, rng)
        if self.fault == "raises":
            raise RuntimeError("the joint broke")
        return state, rewards + np.nan, ended


@pytest.mark.parametrize(
    ("fault", "message"),
    [("raises", "raised RuntimeError in `step` at step 0: the joint broke"),
     ("nan", "gave rewards that are not finite in step 0")],
)  # fmt: skip
def test_a_faulty_environment_is_named(fault, message):
    family = PolicyTasks(Faulty(fault), 4, 0)
    with pytest.raises(ValueError, match=message):
        family.sample(2, tf.constant([0, 0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task.trajectories": 0}, "trajectories"),
        ({"outer.max_kl": 0.0}, "max_kl"),
        ({"head.surrogate": "ppo"}, "surrogate"),
        ({"task.redraw": "always"}, "redraw"),
        ({"task.later_rates": (0.5, -1.0)}, "later_rates"),
        ({"task.redraw": "episode"}, "'redraw' has no effect with code 0"),
        ({"task.told_noise": 0.5}, "'told_noise' has no effect with told false"),
        ({"task.discount": 1.5}, "`discount`: expected a finite number, 0 or more, 1 at most"),
        ({"task.trace": 1.01}, "`trace`: expected a finite number, 0 or more, 1 at most"),
        ({"task.later_rates": ()}, "`later_rates`: expected a factor or more"),
        ({"network.deviation": 0.0}, "`deviation`: expected a finite number above 0"),
        ({"network.deviation": float("inf")}, "`deviation`"),
        ({"network.hidden": (8, 0)}, "`hidden`"),
        ({"network.activation": "tan"}, "`activation`: expected one of tanh"),
        ({"outer.shrink": 1.0}, "`shrink`: expected a finite number above 0, 0.99 at most"),
        ({"outer.curvature_share": 2.0}, "`curvature_share`"),
        ({"meta_lr": 0.1}, "'meta_lr' has no effect with outer trpo"),
        ({"meta_lr_decay": True}, "'meta_lr_decay' has no effect with outer trpo"),
        ({"weight_decay": 0.1}, "'weight_decay' has no effect with outer trpo"),
        ({"regularizer": "label_mi"}, "relabel"),
    ],
)
def test_options_without_meaning_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(small(**options))


@pytest.mark.parametrize(
    ("task", "more", "told"),
    [
        ("tabular_mdp", {"task.states": 2}, "size of observations 1, received 2"),
        ("tabular_mdp", {"task.states": 1, "task.actions": 2}, "size of actions 5, received 2"),
        ("navigation", {}, "whether actions are discrete True, received False"),
        ("sinusoid", {"learner": "maml"}, "whether actions are discrete True, received no policy"),
    ],
)
def test_the_learner_of_other_tasks_does_not_act(task, more, told):
    tasks = PolicyTasks(Bandit(5), 2, 0)
    config = Config.of({"task": task, **more})
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 5]))
    with pytest.raises(ValueError, match=f"not made for these tasks: expected {told}"):
        tasks.policy = learner


def test_products_of_dice_are_over_trajectories_of_one_length():
    """Of a shorter horizon they would be over several trajectories."""
    learner = made(small(**{"head.surrogate": "dice"}))[1]
    PolicyTasks(Navigation(10), 2, 0).policy = learner
    with pytest.raises(ValueError, match="horizon .of DiCE. 5, received 10"):
        PolicyTasks(Navigation(5), 2, 0).policy = learner


def test_meta_optimizers_of_policies_are_for_policies():
    config = Config.of({"task": "sinusoid", "outer": "trpo"})
    with pytest.raises(ValueError, match="'outer' has no effect with task sinusoid"):
        config.make_learner(config.make_problem())


def test_contextual_learners_are_refused():
    config = Config.of({"task": "bandit", "learner": "cnp"})
    with pytest.raises(ValueError, match="adapted by gradients"):
        config.make_learner(config.make_problem())


@pytest.mark.parametrize("learner", ["platipus", "abml", "bmaml", "reptile"])
def test_learners_without_a_single_policy_are_refused(learner):
    config = Config.of({"task": "bandit", "learner": learner})
    with pytest.raises(ValueError, match="`learner`: expected one that adapts a single policy"):
        config.make_learner(config.make_problem())


def test_action_mi_is_for_policies():
    config = Config.of({"task": "sinusoid", "regularizer": "action_mi"})
    with pytest.raises(ValueError, match="expects a policy"):
        config.make_learner(config.make_problem())


@pytest.mark.parametrize("regularizer", ["mr_a", "mr_w", "action_mi", "weight_decay"])
def test_regularizers_take_policies(regularizer):
    problem, learner = made(small("adam", "bandit", regularizer=regularizer))
    episode = problem.train.sample(2, tf.constant([0, 0]))
    tensors = type(episode)(*map(tf.constant, episode))
    assert np.isfinite(learner.objective(tensors, tf.constant([0, 0]))[0])


# -- runs ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("outer", ["trpo", *exhaustive("adam")])
def test_a_run_that_goes_on_has_the_numbers_of_one_that_was_not_cut(outer, tmp_path):
    config = small(outer)
    whole = training.run(config, tmp_path / "whole", verbose=0, pictures=False)

    class Cut(Exception):
        pass

    class Cutter(maml.learners.training.trainer.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise Cut

    with pytest.raises(Cut):
        training.run(
            config, tmp_path / "cut", verbose=0, pictures=False, extra_callbacks=[Cutter()]
        )
    parts = training.run(config, tmp_path / "cut", resume=True, verbose=0, pictures=False)
    assert json.dumps(parts["scores"]) == json.dumps(whole["scores"])
    assert set(whole["further"]["returns_after"]) == {"0", "1", "2", "3"}
    cost = whole["cost"]
    assert 0 < cost["sampling_seconds_per_step"] < cost["seconds_per_step"]
    assert whole["diagnosis"]["verdict"] in maml.diagnostics.verdict.VERDICTS

    learner = maml.load(tmp_path / "whole/learner.keras")
    problem = config.make_problem()
    again = problem.evaluator(learner)(problem.test, 1, 4, 0, 4)
    assert again["return"].mean() == pytest.approx(whole["scores"]["test"]["return"]["mean"])


def saved_policy(folder):
    """The file of a policy of bandits, untrained."""
    config = small("adam", "bandit")
    problem, learner = made(config)
    learner.create_weights(problem.test.sample(1, (0, 0)))
    maml.save(learner, folder / LEARNER)
    reporting.write_json({"config": config.describe(problem), "data": {}}, folder / CONFIG)
    return folder / LEARNER


def test_a_saved_policy_is_scored_after_each_adaptation(tmp_path, capsys):
    path, options = saved_policy(tmp_path), {"task_options": {"adaptations": "2"}}
    with pytest.raises(ValueError, match="`adaptations`: it is given twice"):
        evaluate.returns(path, 2, options)
    found = evaluate.returns(path, None, options)["returns_after"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"after 2 adaptations: {reporting.format_interval(found['2'], 2)}"
    assert list(found) == ["0", "1", "2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "learner",
    ["metasgd", *exhaustive("anil", "fomaml", "maml++")],
)
def test_other_learners_by_gradients_train_policies(learner):
    problem, made_learner = made(small("trpo", "bandit", learner=learner))
    history = made_learner.fit(problem.train, batch_size=4, steps=3, verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["skipped_steps"] == [0]
    scores = problem.evaluator(made_learner)(problem.test, 1, 4, 0)
    assert np.isfinite(scores["return"]).all()


def test_every_environment_is_a_task_with_its_own_options():
    for name in ("bandit", "tabular_mdp", "navigation"):
        problem = TASKS.make(name, trajectories=3, test_tasks=2, train_tasks=5)
        episode = problem.train.sample(2, fold_in(tf.constant([0, 0]), 1))
        shots = 3 * problem.train.environment.horizon
        assert episode.support_x.shape == (2, shots, problem.train.observation_dim)
        assert problem.train.num_tasks == 5 and problem.mutually_exclusive


def test_an_iteration_counts_the_steps_before_adaptation_and_after_it():
    config = small("adam", **{"meta_batch_size": 3})
    assert study.steps_of_an_iteration(config) == 2 * 3 * 4 * 10
    config = small("adam", **{"meta_batch_size": 3, "learner.inner_steps": 0})
    assert study.steps_of_an_iteration(config) == 3 * 4 * 10
