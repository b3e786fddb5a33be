// Package palette finds the main colours of a picture.
package palette

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"sort"
)

const (
	mostBytes  = 10_000_000
	mostPixels = 40_000_000
	mostLooked = 60_000 // pixels; more of them change nothing that can be seen
	rounds     = 16
)

// InputError says that the input is not what this algorithm takes.
type InputError string

func (e InputError) Error() string { return string(e) }

// Wish is an input in JSON.
type Wish struct {
	Image   []byte `json:"image"`
	Colours *int   `json:"colours"`
}

// Colour is one of the main colours.
type Colour struct {
	Hex   string  `json:"hex"`
	Red   int     `json:"red"`
	Green int     `json:"green"`
	Blue  int     `json:"blue"`
	Share float64 `json:"share"`
	Text  string  `json:"text"`
}

// Answer is what the caller gets.
type Answer struct {
	Colours     []Colour `json:"colours"`
	Transparent float64  `json:"transparent"`
	Width       int      `json:"width"`
	Height      int      `json:"height"`
}

// Apply gives the main colours, the one that covers most first.
func Apply(input any) (*Answer, error) {
	data, count, err := parsed(input)
	if err != nil {
		return nil, err
	}
	picture, err := opened(data)
	if err != nil {
		return nil, err
	}
	shades, transparent := looked(picture)
	size := picture.Bounds().Size()
	return &Answer{
		Colours:     named(grouped(shades, count)),
		Transparent: rounded(transparent),
		Width:       size.X,
		Height:      size.Y,
	}, nil
}

func parsed(input any) ([]byte, int, error) {
	wish := Wish{}
	switch input := input.(type) {
	case []byte:
		wish.Image = input
	case string:
		data, err := base64.StdEncoding.DecodeString(input)
		if err != nil {
			return nil, 0, InputError("The text is no picture in base64.")
		}
		wish.Image = data
	default:
		text, err := json.Marshal(input)
		if err == nil {
			err = json.Unmarshal(text, &wish)
		}
		if err != nil {
			return nil, 0, InputError("Give a picture as bytes, or as {\"image\": base64, \"colours\": number}.")
		}
	}
	count := 5
	if wish.Colours != nil {
		count = *wish.Colours
	}
	if count < 1 || count > 16 {
		return nil, 0, InputError("`colours` is a number from 1 to 16.")
	}
	if len(wish.Image) == 0 || len(wish.Image) > mostBytes {
		return nil, 0, InputError(fmt.Sprintf("The picture has to have 1 to %d bytes.", mostBytes))
	}
	return wish.Image, count, nil
}

func opened(data []byte) (image.Image, error) {
	about, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, InputError("The picture can't be read: " + err.Error() + ".")
	}
	if about.Width*about.Height > mostPixels {
		return nil, InputError(fmt.Sprintf("The picture has more than %d pixels.", mostPixels))
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, InputError("The picture can't be read: " + err.Error() + ".")
	}
	return picture, nil
}

// shade is a small range of colours: how many pixels are in it, and where their middle is as the
// eye sees it.
type shade struct {
	pixels float64
	place  point
}

// point is a colour in OKLab, in which distances are as far as they look.
type point [3]float64

func (p point) distance(other point) float64 {
	var sum float64
	for n := range p {
		sum += (p[n] - other[n]) * (p[n] - other[n])
	}
	return sum
}

// looked counts the colours of a picture, and tells which part of it shows none.
func looked(picture image.Image) ([]shade, float64) {
	box := picture.Bounds()
	step := 1 + int(math.Sqrt(float64(box.Dx()*box.Dy())/mostLooked))
	counts := map[int]*[4]float64{}
	var all, hidden float64
	for y := box.Min.Y; y < box.Max.Y; y += step {
		for x := box.Min.X; x < box.Max.X; x += step {
			red, green, blue, opaque := picture.At(x, y).RGBA()
			all++
			if opaque < 0x8000 {
				hidden++
				continue
			}
			colour := [3]float64{}
			for n, part := range [3]uint32{red, green, blue} {
				colour[n] = float64(part) / float64(opaque) * 255
			}
			bin := int(colour[0])>>3<<10 | int(colour[1])>>3<<5 | int(colour[2])>>3
			if counts[bin] == nil {
				counts[bin] = &[4]float64{}
			}
			counts[bin][0]++
			for n, part := range colour {
				counts[bin][n+1] += part
			}
		}
	}
	bins := make([]int, 0, len(counts))
	for bin := range counts {
		bins = append(bins, bin)
	}
	sort.Ints(bins)
	shades := make([]shade, len(bins))
	for n, bin := range bins {
		held := counts[bin]
		shades[n] = shade{held[0], seen(held[1]/held[0], held[2]/held[0], held[3]/held[0])}
	}
	return shades, hidden / math.Max(all, 1)
}

// grouped puts shades together, at most `count` groups of those that look alike.
func grouped(shades []shade, count int) []shade {
	centres := started(shades, count)
	var groups []shade
	for round := 0; round < rounds; round++ {
		groups = make([]shade, len(centres))
		for _, one := range shades {
			group := &groups[nearest(one.place, centres)]
			group.pixels += one.pixels
			for n, part := range one.place {
				group.place[n] += part * one.pixels
			}
		}
		for n := range groups {
			for m := range groups[n].place {
				groups[n].place[m] /= math.Max(groups[n].pixels, 1)
			}
			centres[n] = groups[n].place
		}
	}
	sort.SliceStable(groups, func(a, b int) bool { return groups[a].pixels > groups[b].pixels })
	return groups
}

// started picks shades that are far apart and cover much, the same ones every time.
func started(shades []shade, count int) []point {
	var centres []point
	for len(centres) < count {
		best, most := -1, 0.0
		for n, one := range shades {
			weight := one.pixels
			if len(centres) > 0 {
				weight *= one.place.distance(centres[nearest(one.place, centres)])
			}
			if weight > most {
				best, most = n, weight
			}
		}
		if best < 0 {
			break
		}
		centres = append(centres, shades[best].place)
	}
	return centres
}

func nearest(place point, centres []point) int {
	best := 0
	for n := range centres {
		if place.distance(centres[n]) < place.distance(centres[best]) {
			best = n
		}
	}
	return best
}

func named(groups []shade) []Colour {
	var all float64
	for _, group := range groups {
		all += group.pixels
	}
	colours := []Colour{}
	for _, group := range groups {
		if group.pixels == 0 {
			continue
		}
		red, green, blue := shown(group.place)
		text := "#ffffff"
		if luminance(red, green, blue) > 0.179 { // where black begins to stand out more than white
			text = "#000000"
		}
		colours = append(colours, Colour{
			fmt.Sprintf("#%02x%02x%02x", red, green, blue),
			red, green, blue, rounded(group.pixels / all), text,
		})
	}
	return colours
}

// seen turns a colour of a file, with parts from 0 to 255, into one of OKLab.
func seen(red, green, blue float64) point {
	r, g, b := linear(red), linear(green), linear(blue)
	long := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	middle := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	short := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return point{
		0.2104542553*long + 0.7936177850*middle - 0.0040720468*short,
		1.9779984951*long - 2.4285922050*middle + 0.4505937099*short,
		0.0259040371*long + 0.7827717662*middle - 0.8086757660*short,
	}
}

// shown is the way back from OKLab.
func shown(p point) (int, int, int) {
	long := math.Pow(p[0]+0.3963377774*p[1]+0.2158037573*p[2], 3)
	middle := math.Pow(p[0]-0.1055613458*p[1]-0.0638541728*p[2], 3)
	short := math.Pow(p[0]-0.0894841775*p[1]-1.2914855480*p[2], 3)
	return curved(4.0767416621*long - 3.3077115913*middle + 0.2309699292*short),
		curved(-1.2684380046*long + 2.6097574011*middle - 0.3413193965*short),
		curved(-0.0041960863*long - 0.7034186147*middle + 1.7076147010*short)
}

func linear(part float64) float64 {
	part /= 255
	if part <= 0.04045 {
		return part / 12.92
	}
	return math.Pow((part+0.055)/1.055, 2.4)
}

func curved(part float64) int {
	if part <= 0.0031308 {
		part *= 12.92
	} else {
		part = 1.055*math.Pow(part, 1/2.4) - 0.055
	}
	return int(math.Round(math.Min(math.Max(part, 0), 1) * 255))
}

func luminance(red, green, blue int) float64 {
	return 0.2126*linear(float64(red)) + 0.7152*linear(float64(green)) + 0.0722*linear(float64(blue))
}

func rounded(share float64) float64 { return math.Round(share*1000) / 1000 }
