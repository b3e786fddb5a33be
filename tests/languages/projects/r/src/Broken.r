load <- function() {
  cat("reading weights\n")
  stop("no weights")
}

algorithm <- function(value) value
