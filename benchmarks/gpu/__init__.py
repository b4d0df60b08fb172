"""The steps of ../gpu.sh. Each is a module of its own and writes what it finds as it finds it."""
