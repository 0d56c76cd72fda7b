import Wardline
print("x")
