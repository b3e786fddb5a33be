"""What is on offer: algorithms, their versions, who may see them, what people think of them."""
