"""Meta reinforcement learning: policies that adapt to a task by their trajectories in it.

Where Gymnasium is installed, importing this names environments for ``gymnasium.make``, such as
"maml/HalfCheetahDir-v0".
"""

from maml.rl.gym import registration

registration.register()
