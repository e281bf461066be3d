"""What everything else is built on: episodes, label transforms, the registries, serialization."""
