"""Examples to tokens: chat templates rendered with the loss mask, and a view of what is trained."""
