"""Tasks whose best predictions are known in closed form or on a grid."""
