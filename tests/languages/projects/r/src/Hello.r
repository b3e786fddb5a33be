algorithm <- function(name) paste("Hello", name)
