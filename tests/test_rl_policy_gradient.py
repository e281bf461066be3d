"""Policy gradients in small environments whose returns are known exactly."""

import numpy as np
import pytest
import tensorflow as tf

import maml
from maml.core.episodes import as_episode
from maml.rl.environment import Environment
from maml.rl.family import PolicyTasks
from maml.rl.outer.surrogate import Surrogate
from maml.rl.policies import PolicyHead, policy_networks

SEED = tf.constant([3, 4])


class Late(Environment):
    """Two steps: what is paid in the second is whether the first action was 1."""

    observation_dim, action_dim, discrete, horizon = 1, 2, True, 2

    def draw_tasks(self, count, rng):
        return np.zeros([count, 1])

    def reset(self, tasks, rng):
        return np.zeros([len(tasks), 2])

    def observe(self, state):
        return np.ones([len(state), 1])

    def step(self, tasks, state, action, rng):
        paid = np.where(state[:, 0] == 1, state[:, 1], 0.0)
        after = np.stack([state[:, 0] + 1, action[:, 1]], axis=1)
        return after, paid, np.zeros(len(tasks), bool)

    def optimum(self, tasks):
        return np.ones(len(tasks))


class Costly(Late):
    """Two steps that cost 1 each, of which action 0 saves the second."""

    ends_early = True

    def step(self, tasks, state, action, rng):
        return state, -np.ones(len(tasks)), action[:, 0] > 0.5


class Equal(Late):
    """One step; in task 0 both actions are worth the same, in task 1 they are not."""

    horizon = 1

    def draw_tasks(self, count, rng):
        return np.arange(count, dtype=float)[:, np.newaxis]

    def step(self, tasks, state, action, rng):
        return state, 1.0 + tasks[:, 0] * action[:, 0], np.ones(len(tasks), bool)


def policy(environment, surrogate, chance=0.5, trajectories=4000):
    """A learner that takes action 1 with this chance everywhere, and its tasks."""
    head = PolicyHead(2, True, environment.horizon, surrogate)
    network = policy_networks(1, True, hidden=()).network(2)
    network.layers[-1].kernel.assign(np.zeros([1, 2]))
    network.layers[-1].bias.assign([0.0, np.log(chance / (1 - chance))])
    learner = maml.MAML(network, head, inner_lr=0.0, inner_steps=1)
    tasks = PolicyTasks(environment, 2, 0, trajectories=trajectories, discount=1.0)
    tasks.policy = learner
    learner.create_weights(as_episode(map(tf.constant, tasks.episodes([0, 1], SEED))))
    return learner, tasks


def slope_of_action_1(learner, loss):
    """Minus the derivative of a loss by the logit of action 1."""
    bias = learner.network.layers[-1].bias
    with tf.GradientTape() as tape:
        value = loss()
    return -tape.gradient(value, bias.value).numpy()[1]


def test_dice_credits_an_action_with_later_rewards_in_the_outer_objective_too():
    learner, tasks = policy(Late(), "dice")
    episode = as_episode(map(tf.constant, tasks.episodes([0, 1], SEED)))
    found = slope_of_action_1(learner, lambda: Surrogate(learner, episode, SEED).forward()[1])
    # The mean over two steps of what the return, the chance of action 1, gains.
    assert 2 * found == pytest.approx(0.25, abs=0.01)

    def loss():
        prediction = learner.decode(learner.initial_state(2), episode.query_x)
        return tf.reduce_mean(learner.head.loss(prediction, episode.query_y))

    assert found == pytest.approx(slope_of_action_1(learner, loss), rel=1e-4)


@pytest.mark.parametrize("chance", [0.5, 0.9])
def test_dice_has_the_policy_gradient_where_trajectories_end_early(chance):
    learner, tasks = policy(Costly(), "dice", chance)
    episode = as_episode(map(tf.constant, tasks.support(tasks.collect(np.array([0, 1]), SEED))))

    def loss():
        prediction = learner.decode(learner.initial_state(2), episode.query_x)
        return tf.reduce_mean(learner.head.loss(prediction, episode.query_y))

    # The return is -1 - chance.
    assert 2 * slope_of_action_1(learner, loss) == pytest.approx(-chance * (1 - chance), abs=0.01)


def test_divergence_counts_steps_without_an_advantage_and_none_after_the_end():
    learner, tasks = policy(Equal(), "lvc", trajectories=10)
    episode = as_episode(map(tf.constant, tasks.episodes([0, 1], SEED)))
    assert not np.any(episode.query_y[0, :, -1])
    surrogate = Surrogate(learner, episode, SEED)
    surrogate.forward()
    np.testing.assert_array_equal(surrogate._alive, np.ones([2, 10]))
    learner, tasks = policy(Costly(), "lvc", trajectories=10)
    trajectories = tasks.collect(np.array([0, 1]), SEED)
    episode = as_episode(map(tf.constant, tasks.support(trajectories)))
    surrogate = Surrogate(learner, episode, SEED)
    surrogate.forward()
    expected = trajectories.alive.reshape(2, -1)
    assert not expected.all()
    np.testing.assert_array_equal(surrogate._alive, expected)
