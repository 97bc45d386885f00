-- Tells what was lifted, and nothing else.

return told('')
