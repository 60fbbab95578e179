"""Plays operators, departments, reviewers and reporters for the demo and the replay; never part of `up`."""
