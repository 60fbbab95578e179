"""Who acts for the township: users with roles and units, what each may do, and how they prove who they are."""
