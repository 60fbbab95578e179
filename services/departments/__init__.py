"""部门报到: where departments answer their calls and ask for the residents' words."""
