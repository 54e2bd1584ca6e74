"""Networks and the stretch before them: tensors in, logits out; no astronomy, no files."""
