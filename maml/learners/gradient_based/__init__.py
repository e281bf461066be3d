"""Learners that adapt weights by gradient descent on the support set."""
