"""What a training will take, before it: counted from traced graphs, at rates of this machine."""
