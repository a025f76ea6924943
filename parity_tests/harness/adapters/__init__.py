"""What a trace needs from a framework beyond the mirror's public names.

One small file per framework, with the same functions. They turn arrays into
tensors and back and ask for gradients; whatever trains or evaluates is
called, never written again.
"""
