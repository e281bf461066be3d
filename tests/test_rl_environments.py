"""Environments: their contract, Gymnasium's own numbers, and both ways to Gymnasium."""

import concurrent.futures
import inspect
import textwrap
import warnings

import numpy as np
import pytest

import maml
from maml.core.registry import TASKS
from maml.rl.environment import Environment
from maml.rl.environments.bandits import Bandit
from maml.rl.family import PolicyTasks
from maml.rl.trajectories import collect

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra [rl]")
pytest.importorskip("mujoco.batch", reason="needs mujoco 4.0 or later")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from maml.rl.environments.ant import AntDir, AntGoal, AntVel  # noqa: E402
from maml.rl.environments.half_cheetah import HalfCheetahDir, HalfCheetahVel  # noqa: E402
from maml.rl.gym.single import SingleEnv  # noqa: E402
from maml.rl.gym.tasks import GymnasiumTasks  # noqa: E402

NAMES = [name for name in TASKS if TASKS[name].__module__.startswith("maml.rl.environments")]
SIMULATED = {
    HalfCheetahDir: ("HalfCheetah-v5", {"ctrl_cost_weight": 0.05}),
    HalfCheetahVel: ("HalfCheetah-v5", {"ctrl_cost_weight": 0.05}),
    **dict.fromkeys(
        (AntDir, AntVel, AntGoal),
        (
            "Ant-v5",
            {
                "ctrl_cost_weight": 0.005,
                "contact_cost_weight": 0.0,
                "healthy_reward": 0.05,
                "include_cfrc_ext_in_observation": False,
            },
        ),
    ),
}
EXPECTED = {
    HalfCheetahDir: lambda task, info: task[0] * info["x_velocity"],
    HalfCheetahVel: lambda task, info: -abs(info["x_velocity"] - task[0]),
    AntDir: lambda task, info: task[0] * info["x_velocity"] + info["reward_survive"],
    AntVel: lambda task, info: 1 - abs(info["x_velocity"] - task[0]) + info["reward_survive"],
}
"""Rewards before the cost of controls, from what Gymnasium tells."""


@pytest.fixture(scope="module", params=NAMES)
def environment(request):
    return TASKS[request.param](train_tasks=2, test_tasks=2).test.environment


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """MuJoCo writes a log of its warnings, such as those of Gymnasium's models, where it runs."""
    monkeypatch.chdir(tmp_path)


def rng(seed=0):
    return np.random.default_rng(seed)


def random_actions(environment, *shape, seed=1):
    if environment.discrete:
        return np.eye(environment.action_dim)[
            rng(seed).integers(environment.action_dim, size=shape)
        ]
    return rng(seed).standard_normal([*shape, environment.action_dim])


def random_trajectories(environment, tasks, trajectories=2, seed=2):
    draws = rng(seed)

    def act(observations, step):
        shape = observations.shape[:2]
        return random_actions(environment, *shape, seed=draws.integers(2**31))

    return collect(environment, tasks, trajectories, act, rng(seed))


# -- every environment ------------------------------------------------------------------------


def test_shapes_are_those_that_are_declared(environment):
    tasks = environment.draw_tasks(5, rng())
    assert tasks.ndim == 2 and len(tasks) == 5
    state = environment.reset(tasks, rng())
    assert environment.observe(state).shape == (5, environment.observation_dim)
    actions = random_actions(environment, 5)
    state, rewards, ended = environment.step(tasks, state, actions, rng())
    observed = environment.observe(state)
    assert observed.shape == (5, environment.observation_dim) and np.isfinite(observed).all()
    assert rewards.shape == ended.shape == (5,) and ended.dtype == bool
    assert np.isfinite(rewards).all()
    assert environment.constants().shape[1] == environment.action_dim
    assert environment.optimum(tasks).shape == (5,)


def test_a_state_can_be_stepped_again(environment):
    tasks = environment.draw_tasks(4, rng())
    state = environment.reset(tasks, rng())
    first = environment.observe(state).copy()
    results = []
    for _ in range(2):
        after, rewards, _ = environment.step(tasks, state, random_actions(environment, 4), rng(3))
        results.append((environment.observe(after).copy(), rewards))
        environment.reset(tasks[:2], rng(4))
    np.testing.assert_array_equal(environment.observe(state), first)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_seed_gives_the_same_trajectories_and_another_seed_others(environment):
    tasks = environment.draw_tasks(2, rng())
    one, same, other = (random_trajectories(environment, tasks, seed=seed) for seed in (5, 5, 6))
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one.actions, other.actions)


def test_rewards_are_of_the_task(environment):
    tasks = np.concatenate([environment.draw_tasks(50, rng(seed)) for seed in (1, 2)])
    state = environment.reset(tasks, rng())
    rewards = [
        environment.step(of, state, random_actions(environment, 100), rng(3))[1]
        for of in (tasks, tasks[::-1])
    ]
    assert np.mean(rewards[0] != rewards[1]) > 0.2


def test_no_random_policy_is_better_than_the_optimum(environment):
    tasks = environment.draw_tasks(10, rng())
    returns = random_trajectories(environment, tasks).returns()
    spread = returns.std() / np.sqrt(returns.size)
    assert np.mean(environment.optimum(tasks)) > returns.mean() - 3 * spread
    if environment.horizon > 1:
        assert np.mean(environment.optimum(tasks)) > returns.mean()


# -- robots -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SIMULATED, ids=lambda of: of.__name__)
def robot(request):
    return request.param()


def reference(robot, **options):
    name, given = SIMULATED[type(robot)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of models whose options MuJoCo gives up.
        return gymnasium.make(name, **given, **options)


def expected_reward(robot, task, env, info):
    if isinstance(robot, AntGoal):
        place = env.unwrapped.data.body(1).xpos[:2]
        return 4 - np.sum(np.abs(place - task)) + info["reward_survive"] + info["reward_ctrl"]
    return EXPECTED[type(robot)](task, info) + info["reward_ctrl"]


def test_observations_rewards_and_ends_are_those_of_gymnasium_to_the_last_bit(robot):
    """Several trajectories in one batch against one after the other, until ants have fallen."""
    tasks, steps = robot.draw_tasks(3, rng(2)), 12
    actions = rng(1).uniform(-1, 1, [steps, 3, robot.action_dim]).astype(np.float32)
    first = state = robot.reset(tasks, rng())
    if robot.ends_early:  # One that lies on the ground soon.
        first.simulations.positions[0, 2] = 0.28
        first.simulations.velocities[0, 2] = -3
        first = state = first._replace(simulations=robot.physics.begin(*first.simulations[:2]))
    batch = []
    for step in range(steps):
        state, rewards, ended = robot.step(tasks, state, actions[step], rng())
        batch.append((robot.observe(state), rewards, ended))
    fell = 0
    for row, task in enumerate(tasks):
        env = reference(robot)
        env.reset(seed=0)
        env.unwrapped.set_state(*(values[row] for values in first.simulations[:2]))
        for step in range(steps):
            observed, _, ended, _, info = env.step(actions[step, row])
            np.testing.assert_array_equal(batch[step][0][row], observed)
            assert batch[step][1][row] == expected_reward(robot, task, env, info)
            assert batch[step][2][row] == ended
            if ended:
                fell += 1
                break
    assert fell == robot.ends_early


@pytest.mark.parametrize("kind", [HalfCheetahDir, AntDir])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_direction_is_gymnasiums_weight_of_the_reward(kind, direction):
    robot = kind()
    env = gymnasium.wrappers.ClipAction(reference(robot, forward_reward_weight=direction))
    observed, _ = env.reset(seed=3)
    tasks = np.array([[direction]])
    state = robot.reset(tasks, rng(3))
    np.testing.assert_array_equal(robot.observe(state)[0], observed)
    for step in range(5):
        action = 2 * rng(step).standard_normal([1, robot.action_dim]).astype(np.float32)
        state, rewards, _ = robot.step(tasks, state, action, rng())
        observed, reward, *_ = env.step(action[0])
        np.testing.assert_array_equal(robot.observe(state)[0], observed)
        assert rewards[0] == reward


def test_simulations_do_not_depend_on_the_others_of_their_batch(robot):
    tasks = robot.draw_tasks(6, rng())
    state = robot.reset(tasks, rng())
    actions = random_actions(robot, 6)
    for _ in range(2):
        state, *_ = robot.step(tasks, state, actions, rng())
    some = [4, 1]
    fewer = type(state)(
        type(state.simulations)(*(values[some] for values in state.simulations)),
        state.running[some],
    )
    whole, rewards, _ = robot.step(tasks, state, actions, rng())
    part, own, _ = robot.step(tasks[some], fewer, actions[some], rng())
    np.testing.assert_array_equal(robot.observe(whole)[some], robot.observe(part))
    np.testing.assert_array_equal(rewards[some], own)


def test_simulations_in_two_threads_do_not_mix(robot):
    tasks = robot.draw_tasks(20, rng())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(own_steps, robot, tasks, seed % 3) for seed in range(12)]
        found = [job.result() for job in jobs]
    for seed in range(3):
        for other in found[seed::3]:
            np.testing.assert_array_equal(other, own_steps(robot, tasks, seed))


def own_steps(robot, tasks, seed):
    """Observations after some steps of as many tasks as the seed says."""
    tasks = tasks[: 5 + 5 * seed]
    state = robot.reset(tasks, rng(seed))
    for _ in range(3):
        state, *_ = robot.step(tasks, state, random_actions(robot, len(tasks), seed=seed), rng())
    return robot.observe(state)


def test_ants_that_all_have_fallen_stay_where_they_are():
    ant = AntDir()
    tasks = ant.draw_tasks(3, rng())
    state = ant.reset(tasks, rng())
    state = state._replace(running=np.array([False, True, False]))
    after, _, ended = ant.step(tasks, state, random_actions(ant, 3), rng())
    np.testing.assert_array_equal(ended, [True, False, True])
    np.testing.assert_array_equal(ant.observe(after)[[0, 2]], ant.observe(state)[[0, 2]])
    assert (ant.observe(after)[1] != ant.observe(state)[1]).all()
    fallen = after._replace(running=np.zeros(3, bool))
    last, _, ended = ant.step(tasks, fallen, random_actions(ant, 3), rng())
    assert ended.all()
    np.testing.assert_array_equal(ant.observe(last), ant.observe(after))


def test_actions_that_are_no_numbers_are_named(robot):
    tasks = robot.draw_tasks(2, rng())
    state = robot.reset(tasks, rng())
    actions = random_actions(robot, 2)
    actions[1, 0] = np.nan
    _, rewards, _ = robot.step(tasks, state, actions, rng())
    np.testing.assert_array_equal(np.isfinite(rewards), [True, False])


def diverging(robot, velocity):
    """A robot whose first simulation gets out of hand in the first step."""
    usual = robot.physics.step

    def step(*arguments):
        moved = usual(*arguments)
        moved.velocities[0] = velocity
        return moved

    robot.physics.step = step
    return robot


@pytest.mark.parametrize("velocity", [1e13, 1e200, np.nan])
def test_a_simulation_that_diverges_ends_its_trajectory_or_is_named(velocity):
    ant = diverging(AntDir(horizon=3), velocity)
    trajectories = random_trajectories(ant, ant.draw_tasks(2, rng()))
    assert np.isfinite(trajectories.rewards).all()
    np.testing.assert_array_equal(trajectories.alive[0, 0], [True, False, False])
    assert trajectories.alive[1].all()
    cheetah = diverging(HalfCheetahDir(horizon=3), velocity)
    with pytest.raises(ValueError, match="HalfCheetahDir gave .* that are not finite in step"):
        random_trajectories(cheetah, cheetah.draw_tasks(2, rng()))


# -- as environments of Gymnasium -------------------------------------------------------------

GYMNASIUM = ["Navigation", "HalfCheetahDir", "HalfCheetahVel", "AntDir", "AntVel", "AntGoal"]


@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")
@pytest.mark.parametrize("name", GYMNASIUM)
def test_gymnasium_finds_nothing_wrong(name):
    env = gymnasium.make(f"maml/{name}-v0")
    check_env(env.unwrapped)


@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")
def test_discrete_actions_are_numbers_in_gymnasium():
    env = SingleEnv(Bandit(arms=2))
    check_env(env)
    env.reset(seed=0, options={"task": [0.0, 1.0]})
    assert env.step(1)[1:4] == (1.0, True, False)


def test_a_task_is_set_by_an_option_of_reset():
    env = gymnasium.make("maml/Navigation-v0", horizon=2)
    _, info = env.reset(seed=0, options={"task": [0.3, 0.4]})
    np.testing.assert_array_equal(info["task"], [0.3, 0.4])
    _, reward, ended, truncated, _ = env.step(np.zeros(2, np.float32))
    assert (reward, ended, truncated) == (-0.5, False, False)
    assert env.step(np.zeros(2, np.float32))[3]
    drawn = [env.reset()[1]["task"] for _ in range(2)]
    assert not np.array_equal(*drawn)


@pytest.mark.parametrize("task", [[0.3], "north", [0.1, np.nan], [[1, 2], [3, 4]]])
def test_a_task_that_is_none_is_refused(task):
    env = gymnasium.make("maml/Navigation-v0")
    with pytest.raises(ValueError, match="`task`: expected 2 finite numbers; received"):
        env.reset(options={"task": task})


def test_an_action_of_another_size_is_refused():
    env = gymnasium.make("maml/Navigation-v0").unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected \[2\]; received \[3\]"):
        env.step(np.zeros(3))


# -- environments of Gymnasium as tasks -------------------------------------------------------


def gravity(count, rng):
    return rng.uniform(5, 15, [count, 1])


def set_gravity(env, task):
    env.gravity = task[0]


def pole(horizon=30):
    return GymnasiumTasks("CartPole-v1", gravity, set_gravity, horizon, best=horizon)


def test_trajectories_are_those_of_the_environment_alone():
    environment = pole()
    tasks = environment.draw_tasks(2, rng())
    found = random_trajectories(environment, tasks, trajectories=3)
    seeds = rng(2).integers(2**31, size=6)
    lengths = found.alive.sum(-1)
    assert lengths.min() < lengths.max()
    for row, seed in enumerate(seeds):
        env = gymnasium.make("CartPole-v1")
        env.unwrapped.gravity = tasks[row // 3, 0]
        observed, _ = env.reset(seed=int(seed))
        for step in range(environment.horizon):
            place = (row // 3, row % 3, step)
            np.testing.assert_array_equal(found.observations[place], observed)
            observed, reward, ended, *_ = env.step(int(found.actions[place].argmax()))
            assert found.rewards[place] == reward and found.alive[place]
            if ended:
                assert not found.rewards[place[:2]][step + 1 :].any()
                assert lengths[place[:2]] == step + 1
                break


def test_the_example_registers_a_task(tmp_path, registries):
    text = inspect.getdoc(GymnasiumTasks)
    example = text[text.index("    from maml") : text.index("Args:")]
    (tmp_path / "pole.py").write_text(textwrap.dedent(example))
    maml.import_files([tmp_path / "pole.py"])
    problem = TASKS["pole"](horizon=4, trajectories=2, train_tasks=2, test_tasks=2)
    assert problem.test.sample(2, (0, 1)).support_x.shape == (2, 8, 4)
    assert problem.metrics[0].best == 4 and problem.description.startswith("A pole that")


def test_they_are_tasks_of_the_library():
    family = PolicyTasks(pole(horizon=5), num_tasks=3, split=0, trajectories=2)
    episodes = [family.episodes([0, 2], (0, 1)) for _ in range(2)]
    assert episodes[0].support_x.shape == (2, 10, 4) and episodes[0].support_y.shape == (2, 10, 3)
    for one, same in zip(*episodes, strict=True):
        np.testing.assert_array_equal(one, same)


def test_actions_of_a_box_are_scaled_to_it():
    def weigh(env, task):
        env.g = task[0]

    environment = GymnasiumTasks("Pendulum-v1", gravity, weigh, 5, best=0.0)
    tasks = environment.draw_tasks(2, rng())
    state = environment.reset(tasks, rng(1))
    _, rewards, _ = environment.step(tasks, state, np.array([[0.5], [-7.0]]), rng())
    seeds = rng(1).integers(2**31, size=2)
    for row, torque in enumerate([1.0, -2.0]):
        env = gymnasium.make("Pendulum-v1", g=tasks[row, 0])
        env.reset(seed=int(seeds[row]))
        assert env.step(np.array([torque], np.float32))[1] == rewards[row]


def test_environments_of_this_library_can_go_there_and_back():
    def turn(env, task):
        env.unwrapped.environment.draw_tasks = lambda count, rng: np.tile(task, [count, 1])

    there = GymnasiumTasks("maml/Navigation-v0", lambda n, rng: rng.random([n, 2]), turn, 3, 0.0)
    tasks = there.draw_tasks(2, rng())
    state = there.reset(tasks, rng())
    _, rewards, _ = there.step(tasks, state, np.zeros([2, 2]), rng())
    np.testing.assert_allclose(rewards, -np.hypot(*tasks.T))


def test_only_the_latest_state_can_be_stepped():
    environment = pole()
    tasks, actions = environment.draw_tasks(2, rng()), np.eye(2)
    first = environment.reset(tasks, rng())
    environment.step(tasks, first, actions, rng())
    with pytest.raises(ValueError, match="expected the state of the latest step or reset"):
        environment.step(tasks, first, actions, rng())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("NoSuchEnvironment-v0", {}, "makes no environment 'NoSuchEnvironment-v0'"),
        ("no.module:X-v0", {}, "makes no environment .no.module:X-v0.: No module named"),
        ("CartPole-v1", {"wind": 3}, "makes no environment 'CartPole-v1': .*wind"),
    ],
)
def test_an_environment_that_cannot_be_made_is_named(name, options, words):
    with pytest.raises(ValueError, match=words):
        GymnasiumTasks(name, gravity, set_gravity, 5, 0.0, **options)


def test_tasks_that_are_no_rows_are_refused():
    environment = GymnasiumTasks(
        "CartPole-v1", lambda count, rng: rng.random(count), set_gravity, 5, 0.0
    )
    with pytest.raises(ValueError, match=r"expected an array of 3 rows.*shape \[3\]"):
        environment.draw_tasks(3, rng())


# -- environments at fault --------------------------------------------------------------------


class Faulty(Environment):
    """Goes wrong in its second step."""

    observation_dim, action_dim, discrete, horizon = 1, 1, False, 4

    def draw_tasks(self, count, rng):
        return rng.random([count, 1])

    def reset(self, tasks, rng):
        return np.zeros([len(tasks), 1])

    def observe(self, state):
        return state

    def step(self, tasks, state, actions, rng):
        rewards = np.ones(len(tasks))
        if state.any():
            rewards = self.fault(rewards)
        return state + 1, rewards, np.zeros(len(tasks), bool)

    def optimum(self, tasks):
        return np.ones(len(tasks))


def breaks(rewards):
    raise KeyError("torque")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda rewards: rewards * np.nan, "Faulty gave rewards that are not finite in step 1"),
        (breaks, "Faulty raised KeyError in `step` at step 1: 'torque'"),
    ],
)
def test_an_environment_at_fault_is_named(fault, words):
    environment = Faulty()
    environment.fault = fault
    with pytest.raises(ValueError, match=words):
        random_trajectories(environment, environment.draw_tasks(2, rng()))


def test_an_environment_of_gymnasium_at_fault_is_named():
    def set_task(env, task):
        raise AttributeError("no wind")

    environment = GymnasiumTasks("CartPole-v1", gravity, set_task, 5, 0.0)
    with pytest.raises(ValueError, match="GymnasiumTasks raised AttributeError in `reset` at step"):
        random_trajectories(environment, environment.draw_tasks(2, rng()))


def test_trajectories_that_end_at_once_have_one_step():
    class Over(Faulty):
        ends_early = True

        def step(self, tasks, state, actions, rng):
            return state, np.ones(len(tasks)), np.ones(len(tasks), bool)

    family = PolicyTasks(Over(), num_tasks=2, split=0, trajectories=2)
    episode = family.episodes([0, 1], (0, 1))
    np.testing.assert_array_equal(np.asarray(episode.support_mask).sum(-1), [2, 2])
    assert all(np.isfinite(part).all() for part in episode[:4])
