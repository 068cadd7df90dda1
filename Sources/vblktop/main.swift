print("vblktop")
