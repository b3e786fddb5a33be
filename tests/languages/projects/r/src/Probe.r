runs <- 0

load <- function() {
  file.create("/tmp/kept")
  list()
}

refuse <- function(words) {
  stop(structure(list(message = words, call = NULL), class = c("InputError", "error", "condition")))
}

acts <- list(
  count = function(wish) runs,
  refuse = function(wish) refuse("too small"),
  fail = function(wish) stop("out of luck"),
  print = function(wish) {
    cat("one\n")
    flush(stdout())
    message("two")
    NULL
  },
  write = function(wish) {
    system("printf straight")
    NULL
  },
  bytes = function(wish) rep(as.raw(c(0, 255)), wish$half),
  scratch = function(wish) {
    found <- grep("^Rtmp", list.files("/tmp"), invert = TRUE, value = TRUE)
    dir.create("/tmp/left/deep", recursive = TRUE)
    file.create("/tmp/left/deep/file")
    as.list(found)
  },
  status = function(wish) paste(readLines("/proc/self/status"), collapse = "\n"),
  leave = function(wish) {
    system("sleep 60", wait = FALSE)
    NULL
  },
  call = function(wish) algorium$call(wish$name, wish$with, timeout = 5),
  exit = function(wish) quit(status = 3),
  hang = function(wish) Sys.sleep(600),
  fill = function(wish) length(lapply(1:4096, function(n) rep(as.raw(n %% 256), 2^20)))
)

algorithm <- function(value, state) {
  runs <<- runs + 1
  act <- if (is.list(value) && is.character(value$do)) acts[[value$do]]
  if (is.null(act)) value else act(value)
}
