module palette

go 1.19
