package random

import "github.com/goldenloss/goldenloss/reference/loss"

// boxes fills in n pairs of boxes.
func (d *Draw) boxes(p *loss.Boxes[float64]) {
	p.Eps = Pick(d, 0, 1e-7, 0.1)
	n := d.Side(4, 1, 3)
	draw := func() loss.Tensor[float64] {
		x := d.Uniform(n, 4)
		for i := range x.Data {
			switch {
			case i%4 < 2 && d.grid:
				x.Data[i] = float64(d.IntN(5))
			case i%4 >= 2 && d.grid:
				x.Data[i] = float64(1 + d.IntN(4))
			}
			if i%4 >= 2 && p.Format == "xyxy" {
				x.Data[i] = float64(float32(x.Data[i-2] + x.Data[i]))
			}
		}
		return x
	}
	p.Pred, p.Target = draw(), draw()
}

func iou(d *Draw, p *loss.IoU[float64]) {
	d.boxes(&p.Boxes)
	if d.Coin() {
		p.IoUFloor = 0.2
	}
}

func giou(d *Draw, p *loss.GIoU[float64]) { d.boxes(&p.Boxes) }
func diou(d *Draw, p *loss.DIoU[float64]) { d.boxes(&p.Boxes) }
func ciou(d *Draw, p *loss.CIoU[float64]) { d.boxes(&p.Boxes) }
func eiou(d *Draw, p *loss.EIoU[float64]) { d.boxes(&p.Boxes) }

func focalEIoU(d *Draw, p *loss.FocalEIoU[float64]) {
	p.Gamma = Pick(d, 0, 0.5, 1, d.Between(1, 3))
	d.boxes(&p.Boxes)
}

func gwd(d *Draw, p *loss.GWD[float64]) {
	p.Tau, p.Alpha = Pick(d, 0, 1, d.Between(1, 3)), Pick(d, 1, d.Between(0.5, 2))
	p.D2Floor, p.ScaleFloor = Pick(d, 0, 1e-7, 0.3), Pick(d, 1e-7, 0.5)
	p.Normalize = p.Normalize && p.Variant == "mmrotate"
	var boxes loss.Boxes[float64]
	turned := p.Format == "cxcywhr"
	if boxes.Format = p.Format; turned {
		boxes.Format = "cxcywh"
	}
	d.boxes(&boxes)
	p.Pred, p.Target = boxes.Pred, boxes.Target
	if !turned {
		return
	}
	turn := func(b loss.Tensor[float64]) loss.Tensor[float64] {
		n := b.Shape[0]
		x := d.Normal(n, 5)
		for i := range n {
			copy(x.Data[5*i:5*i+4], b.Data[4*i:])
		}
		return x
	}
	p.Pred, p.Target = turn(p.Pred), turn(p.Target)
}
