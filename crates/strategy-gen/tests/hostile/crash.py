# expect: 1
# Neither a core file nor a word beyond.
ctypes.string_at(8)
