module algorium

go 1.19
